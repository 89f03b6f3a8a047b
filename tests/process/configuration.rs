//! The command line, the files and the lock: what a daemon says and returns before it runs.

use crate::folder::{Folder, pair};
use crate::harness::Running;

fn ends(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String, String) {
    let (status, said, log) = Running::start(folder, arguments).end();
    (status.code(), said, log)
}

#[test]
fn a_configuration_is_checked_with_exit_0_or_78() {
    let folder = Folder::new("check");
    folder.write("app.toml", pair(1));
    let (code, said, _) = ends(&folder, &["--check-config"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("app: the configuration is valid"), "{said}");
    for (text, expected) in [
        (
            "[pair]\nfrist = 1\n",
            "app.toml:2:1: `pair.frist`: unknown key",
        ),
        ("[pair]\nfirst = 1\n", "`pair.last`: differs"),
        ("[loging]\n", "did you mean `logging`?"),
        (
            "[logging]\nlevel = \"inof\"\n",
            "app.toml:2:9: `logging.level`",
        ),
        (
            "[runtime]\ncpus = \"1023\"\n",
            "app.toml:2:8: `runtime.cpus`: this process may not use CPU 1023",
        ),
        (
            "[http]\nlisten = \"0.0.0.0:80\"\n",
            "app.toml:2:10: `http.listen`: must be an address of loopback, unless there is an `http.token_file`",
        ),
        (
            "[signals]\nhpu = \"ignore\"\n",
            "app.toml:2:1: `signals.hpu`: unknown key, at `hpu`; did you mean `hup`?",
        ),
        (
            "[signals]\nhup = \"ignroe\"\n",
            "app.toml:2:7: `signals.hup`:",
        ),
        ("[signals]\nhup = \"ignroe\"\n", "did you mean `ignore`?"),
        (
            "[performance]\nworker_threads = 4\n",
            "write `worker_threads` in [runtime]",
        ),
        (
            "[shutdown]\nforce = \"1s\"\n",
            "app.toml:2:9: `shutdown.force`: must be later",
        ),
    ] {
        folder.write("app.toml", text);
        for arguments in [&["--check-config"][..], &[]] {
            let (code, _, log) = ends(&folder, arguments);
            assert_eq!(code, Some(78), "{log}");
            assert!(log.contains(expected), "{expected}: {log}");
        }
    }
}

#[test]
fn the_printed_configuration_says_where_each_value_comes_from_and_no_secret() {
    let folder = Folder::new("print");
    folder.write(
        "app.toml",
        format!("{}[other]\nkey = \"swordfish\"\n", pair(1)),
    );
    folder.write(
        "conf.d/1.toml",
        "[logging]\nmax_files = 2\n[signals]\nhup = \"ignore\"\n",
    );
    let arguments = [
        "--print-config",
        "--set",
        "pair.first=3",
        "--set=pair.last=3",
    ];
    let variables = [("APP__BUS__CAPACITY", "64")];
    let (status, said, log) = Running::start_with("plain", &folder, &arguments, &variables).end();
    assert_eq!(status.code(), Some(0), "{log}");
    for line in [
        "first = 3 # --set pair.first",
        "capacity = 64 # APP__BUS__CAPACITY",
        "listen = \"127.0.0.1:0\" # program",
        "force = \"10s\" # default",
    ] {
        assert!(said.lines().any(|shown| shown == line), "{line}\n{said}");
    }
    assert!(
        said.contains("max_files = 2 # ") && said.contains("conf.d/1.toml:2:13"),
        "{said}"
    );
    assert!(
        said.contains("hup = \"ignore\" # ") && said.contains("conf.d/1.toml:4:7"),
        "{said}"
    );
    assert!(
        said.contains("key = \"[redacted]\"") && !said.contains("swordfish"),
        "{said}"
    );
    assert!(
        said.contains("# looked for /etc/app/app.toml: not read"),
        "{said}"
    );
}

#[test]
fn a_file_that_was_named_has_to_be_there_and_an_unknown_argument_is_a_usage_error() {
    let folder = Folder::new("arguments");
    let (code, _, log) = ends(&folder, &["--config", "none.toml"]);
    assert_eq!(code, Some(78), "{log}");
    assert!(log.contains("none.toml cannot be read"), "{log}");
    let (code, _, log) = ends(&folder, &["--chekc-config"]);
    assert_eq!(code, Some(64), "{log}");
    assert!(log.contains("unknown argument `--chekc-config`"), "{log}");
    let (code, said, _) = ends(&folder, &["--help"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("--print-config"), "{said}");
}

#[test]
fn a_second_instance_names_the_first_and_exits_75() {
    let folder = Folder::new("instance");
    folder.write(
        "app.toml",
        "[daemon]\npid_file = \"run/app.pid\"\nwork_dir = \"work\"\n",
    );
    std::fs::create_dir_all(folder.path("work/run")).expect("it can be made");
    let mut first = Running::start(&folder, &[]);
    first.hears("pair 0");
    let pid_file = folder.path("work/run/app.pid");
    let text = std::fs::read_to_string(&pid_file).expect("it lies in the working directory");
    assert_eq!(text, format!("{}\n", first.id()));
    let (code, _, log) = ends(&folder, &[]);
    assert_eq!(code, Some(75), "{log}");
    assert!(
        log.contains(&format!("another instance (process {}) holds", first.id())),
        "{log}"
    );
    assert_eq!(first.stop().0.code(), Some(0));
    assert!(pid_file.exists(), "it is never removed");
    let mut next = Running::start(&folder, &[]);
    next.hears("pair 0");
    // Killed: what it leaves behind stops nobody.
    next.signal("KILL");
    assert_eq!(next.end().0.code(), None);
    let mut last = Running::start(&folder, &[]);
    last.hears("pair 0");
}

#[test]
fn what_can_t_be_used_at_the_start_is_named_with_exit_78() {
    let folder = Folder::new("unusable");
    for (key, expected) in [
        ("daemon.pid_file=/proc/app.pid", "cannot use /proc/app.pid"),
        ("daemon.pid_file=/dev/null", "/dev/null is no regular file"),
        (
            "daemon.work_dir=/nonexistent",
            "cannot change into /nonexistent",
        ),
        (
            "logging.file=/proc/app.log",
            "cannot open the log file /proc/app.log",
        ),
    ] {
        let (code, _, log) = ends(&folder, &["--set", key]);
        assert_eq!(code, Some(78), "{log}");
        assert!(log.contains(expected), "{expected}: {log}");
    }
}

/// Counts the threads of a process that have a name, and looks at their priority.
fn threads_called(name: &str, process: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let mut found = 0;
    for task in tasks {
        let stat =
            std::fs::read_to_string(task.expect("it runs").path().join("stat")).unwrap_or_default();
        let Some((head, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        if head.ends_with(&format!("({name}")) {
            // The 19th field of stat(5), of which two stand before.
            assert_eq!(rest.split(' ').nth(16), Some("3"), "{stat}");
            found += 1;
        }
    }
    found
}

#[test]
fn the_name_and_the_priority_are_as_the_configuration_says() {
    let folder = Folder::new("name");
    folder.write("app.toml", "[daemon]\nname = \"other\"\n[runtime]\nnice = 3\nworker_threads = 2\nthread_name = \"mine\"\n");
    // The variables are called after the program, whatever it calls itself.
    let variables = [
        ("APP__PAIR__FIRST", "4"),
        ("APP__PAIR__LAST", "4"),
        ("OTHER__PAIR__LAST", "5"),
    ];
    let mut running = Running::start_with("plain", &folder, &[], &variables);
    running.hears("pair 4");
    // The workers, and threads that may block; each takes its name when it first runs.
    while threads_called("mine", running.id()) < 2 {
        std::thread::yield_now();
    }
    let (status, _, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("daemon=other"), "{log}");
    assert!(
        log.contains("\nother: "),
        "its last line begins with its name: {log}"
    );
}
