//! The flags that every rig understands, and its own options as `--name value`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// One option of a rig's own.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
    takes: Takes,
}

/// What an option may be.
#[derive(Debug, Clone, Copy)]
enum Takes {
    Count,
    Counts,
    Share,
    Words(&'static [&'static str]),
}

impl Opt {
    /// An option that is a whole number.
    #[must_use]
    pub const fn count(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            default,
            meaning,
            takes: Takes::Count,
        }
    }

    /// An option that is a share, from 0 to 1.
    #[must_use]
    pub const fn share(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            default,
            meaning,
            takes: Takes::Share,
        }
    }

    /// An option that is one of these words, the first when nothing was said.
    #[must_use]
    pub const fn word(
        name: &'static str,
        words: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            default: words[0],
            meaning,
            takes: Takes::Words(words),
        }
    }

    /// An option that is one or more whole numbers with commas between them.
    #[must_use]
    pub const fn counts(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            default,
            meaning,
            takes: Takes::Counts,
        }
    }

    fn check(&self, value: &str) -> Result<(), String> {
        let is_share = |value: &str| {
            value
                .parse()
                .is_ok_and(|share: f64| (0.0..=1.0).contains(&share))
        };
        let is_count = |value: &str| value.parse::<u32>().is_ok();
        match self.takes {
            // Every kind of number that is read from it holds so much.
            Takes::Count if !is_count(value) => {
                Err(format!("`{value}` is no whole number that fits"))
            }
            Takes::Share if !is_share(value) => Err(format!("`{value}` is no share from 0 to 1")),
            Takes::Words(words) if !words.contains(&value) => {
                Err(format!("`{value}` is none of {}", words.join(", ")))
            }
            Takes::Counts if !value.split(',').all(is_count) => {
                Err(format!("`{value}` is no list of whole numbers, as 10,100"))
            }
            Takes::Count | Takes::Counts | Takes::Share | Takes::Words(_) => Ok(()),
        }
    }
}

/// Several options at once, by one word: `--preset NAME`.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// The word.
    pub name: &'static str,
    /// Which options it sets; what is said beside it wins. `seconds` and `rate` may be among them.
    pub sets: &'static [(&'static str, &'static str)],
}

/// What a rig is called with.
#[derive(Debug, Clone, Copy)]
pub struct Rig {
    /// The name of the program and of the files it writes.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// How long it runs when nothing was said.
    pub seconds: &'static str,
    /// How often a second it does what it does, when nothing was said.
    pub rate: &'static str,
    /// Its own options.
    pub options: &'static [Opt],
    /// Its presets.
    pub presets: &'static [Preset],
}

/// Which files are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Files {
    /// The report.
    pub json: bool,
    /// The series, a line for each moment.
    pub csv: bool,
    /// The plot of the series.
    pub svg: bool,
}

/// What a rig was called with.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// Where the files are written; the present folder when nothing was said.
    pub out: PathBuf,
    /// Which files are written; none when nothing was said.
    pub files: Files,
    values: BTreeMap<&'static str, String>,
}

impl Arguments {
    /// Reads what follows the name of the program.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the help below; or the help alone, when it was asked for.
    pub fn parse(rig: &Rig, given: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut read = Self {
            out: PathBuf::from("."),
            files: Files::default(),
            values: defaults(rig),
        };
        let mut said = Vec::new();
        let mut given = given.into_iter();
        while let Some(word) = given.next() {
            match word.as_str() {
                "--json" => read.files.json = true,
                "--csv" => read.files.csv = true,
                "--svg" => read.files.svg = true,
                "--help" | "-h" => return Err(help(rig)),
                flag => {
                    let name = flag.strip_prefix("--").unwrap_or_default();
                    let value = given.next();
                    let value = value.ok_or_else(|| {
                        wrong(
                            rig,
                            &format!("`{flag}` is no flag, or its value is missing"),
                        )
                    })?;
                    said.push((name.to_owned(), value, word));
                }
            }
        }
        // A preset is applied first, wherever it stands: what is said beside it wins.
        said.sort_by_key(|(name, ..)| name != "preset");
        for (name, value, word) in said {
            read.set(rig, &name, value)
                .map_err(|what| wrong(rig, &format!("{word}: {what}")))?;
        }
        read.checked(rig)
    }

    fn set(&mut self, rig: &Rig, name: &str, value: String) -> Result<(), String> {
        if name == "out" {
            self.out = PathBuf::from(value);
            return Ok(());
        }
        if name == "preset" {
            let preset = rig.presets.iter().find(|preset| preset.name == value);
            let preset = preset.ok_or_else(|| format!("there is no preset `{value}`"))?;
            let sets = preset.sets.iter();
            self.values
                .extend(sets.map(|(name, value)| (*name, (*value).to_owned())));
            return Ok(());
        }
        let known = self.values.keys().find(|known| **known == name).copied();
        self.values
            .insert(known.ok_or("there is no such flag")?, value);
        Ok(())
    }

    fn checked(self, rig: &Rig) -> Result<Self, String> {
        for name in ["seconds", "rate"] {
            let value = self.text(name);
            let number: Option<f64> = value.parse().ok();
            if number.is_none_or(|number| !number.is_finite() || number < 0.0) {
                return Err(wrong(
                    rig,
                    &format!("--{name}: `{value}` is no number of at least 0"),
                ));
            }
        }
        for option in rig.options {
            let checked = option.check(self.text(option.name));
            checked.map_err(|what| wrong(rig, &format!("--{}: {what}", option.name)))?;
        }
        Ok(self)
    }

    /// Returns how long the rig runs.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.number("seconds"))
    }

    /// Returns how often a second it does what it does; 0 says as fast as it can.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.number("rate")
    }

    /// Returns an option as the text it is.
    ///
    /// # Panics
    ///
    /// When the rig has no such option.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).expect("an option of this rig")
    }

    /// Returns an option as a number.
    ///
    /// # Panics
    ///
    /// When the rig's own declaration says that it need not be one.
    #[must_use]
    pub fn number<N: FromStr>(&self, name: &str) -> N {
        let number = self.text(name).parse().ok();
        number.expect("it was checked to be a number that fits")
    }

    /// Returns an option that is a list of numbers.
    #[must_use]
    pub fn numbers(&self, name: &str) -> Vec<usize> {
        let numbers = self.text(name).split(',');
        numbers.filter_map(|number| number.parse().ok()).collect()
    }

    /// Returns an option in milliseconds as a duration.
    #[must_use]
    pub fn milliseconds(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name))
    }

    /// Returns everything that was set, by name.
    #[must_use]
    pub fn values(&self) -> BTreeMap<String, String> {
        let values = self.values.iter();
        values
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }
}

fn defaults(rig: &Rig) -> BTreeMap<&'static str, String> {
    let own = rig
        .options
        .iter()
        .map(|option| (option.name, option.default));
    let all = own.chain([("seconds", rig.seconds), ("rate", rig.rate)]);
    all.map(|(name, value)| (name, value.to_owned())).collect()
}

fn wrong(rig: &Rig, what: &str) -> String {
    format!("{what}\n\n{}", help(rig))
}

fn help(rig: &Rig) -> String {
    let mut lines = vec![
        format!("{}: {}", rig.name, rig.about),
        format!("  --seconds N    how long it runs ({})", rig.seconds),
        format!(
            "  --rate N       how often a second ({}); 0: as fast as it can",
            rig.rate
        ),
        "  --out DIR      where files are written (.)".to_owned(),
        format!(
            "  --json --csv --svg    write {}.json, .csv, .svg",
            rig.name
        ),
    ];
    let options = rig.options.iter();
    lines.extend(options.map(|option| {
        format!(
            "  --{} {}    {}",
            option.name, option.default, option.meaning
        )
    }));
    for preset in rig.presets {
        let sets: Vec<String> = preset
            .sets
            .iter()
            .map(|(name, value)| format!("--{name} {value}"))
            .collect();
        lines.push(format!("  --preset {}    {}", preset.name, sets.join(" ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Files, Opt, Preset, Rig};

    const RIG: Rig = Rig {
        name: "rig",
        about: "does something",
        seconds: "30",
        rate: "10",
        options: &[
            Opt::count("size", "128", "bytes"),
            Opt::counts("steps", "1,2", "each"),
            Opt::share("part", "1", "of it"),
            Opt::word("kind", &["a", "b"], "which"),
        ],
        presets: &[Preset {
            name: "large",
            sets: &[("size", "4096"), ("rate", "5")],
        }],
    };

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(&RIG, line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        let read = parse("").unwrap();
        assert_eq!((read.number::<u64>("size"), read.rate()), (128, 10.0));
        assert_eq!(read.files, Files::default());
    }

    #[test]
    fn what_is_said_beside_a_preset_wins_wherever_it_stands() {
        for line in ["--size 1 --preset large", "--preset large --size 1"] {
            let read = parse(line).unwrap();
            assert_eq!(
                (read.number::<u64>("size"), read.rate()),
                (1, 5.0),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [
            ("--colour red", "--colour: there is no such flag"),
            ("--size", "`--size` is no flag, or its value is missing"),
            ("--preset tiny", "there is no preset `tiny`"),
            ("--seconds -1", "`-1` is no number of at least 0"),
            ("--size 1.5", "--size: `1.5` is no whole number that fits"),
            (
                "--steps 1,,2",
                "--steps: `1,,2` is no list of whole numbers",
            ),
            ("--part 2", "--part: `2` is no share from 0 to 1"),
            ("--kind c", "--kind: `c` is none of a, b"),
            ("--rate often", "`often` is no number of at least 0"),
        ] {
            let wrong = parse(line).unwrap_err();
            assert!(wrong.contains(named), "{line}: {wrong}");
        }
    }

    #[test]
    fn help_names_every_option_and_preset() {
        let help = parse("--help").unwrap_err();
        for word in [
            "--seconds",
            "--rate",
            "--out",
            "--size 128",
            "--kind a",
            "--preset large",
        ] {
            assert!(help.contains(word), "{word}");
        }
    }
}
