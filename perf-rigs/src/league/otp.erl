%% The same pieces of work for OTP. Prints a list of numbers, times in nanoseconds.
-module(otp).
-behaviour(supervisor).
-export([main/0, init/1, start_child/1]).

main() ->
    logger:set_primary_config(level, none),
    Figures = run(init:get_plain_arguments()),
    Print = [io_lib:format("~f", [float(Figure)]) || Figure <- Figures],
    io:format("[~s]~n", [lists:join($,, Print)]),
    halt().

run(["restarts", Pace, Count]) -> restarts(Pace, list_to_integer(Count));
run(["tree", Children]) -> tree(list_to_integer(Children));
run(["stops"]) -> stops();
run(["tell", Messages]) -> tell(list_to_integer(Messages));
run(["ask", Messages]) -> ask(list_to_integer(Messages)).

now_ns() -> erlang:monotonic_time(nanosecond).

init({Intensity, Children}) ->
    {ok, {#{strategy => one_for_one, intensity => Intensity, period => 1}, Children}}.

percentile(Sorted, Share) ->
    lists:nth(1 + round((length(Sorted) - 1) * Share), Sorted).

%% Restarts. A server's `init` says that it is back; a message makes it crash.

start_child(Probe) ->
    gen_server:start_link(otp_crasher, Probe, []).

restarts(Pace, Count) ->
    make_crasher(),
    process_flag(trap_exit, true),
    Child = #{id => child, start => {otp, start_child, [self()]}, shutdown => 5000},
    {ok, _} = supervisor:start_link(otp, {1000000000, [Child]}),
    receive {back, First, _} -> ok end,
    Began = now_ns(),
    Latencies = restart(Pace, Count, First, []),
    Took = now_ns() - Began,
    Sorted = lists:sort(Latencies),
    P = [percentile(Sorted, 0.5), percentile(Sorted, 0.99)],
    case Pace of
        "hot" -> P ++ [Count * 1.0e9 / Took];
        "idle" -> P
    end.

restart(_, 0, _, Latencies) -> Latencies;
restart(Pace, Count, Pid, Latencies) ->
    Pace =:= "idle" andalso timer:sleep(2),
    Pid ! crash,
    receive
        {back, Next, Latency} -> restart(Pace, Count - 1, Next, [Latency | Latencies])
    end.

%% A module of its own, made here so that everything stays in one file.
make_crasher() ->
    Forms = [
        "-module(otp_crasher).",
        "-export([init/1, handle_info/2, handle_cast/2, handle_call/3]).",
        "init(Probe) ->"
        "    Now = erlang:monotonic_time(nanosecond),"
        "    [{at, Then}] = ets:lookup(otp_at, at),"
        "    Probe ! {back, self(), Now - Then}, {ok, Probe}.",
        "handle_info(crash, _) ->"
        "    ets:insert(otp_at, {at, erlang:monotonic_time(nanosecond)}),"
        "    exit(on_purpose).",
        "handle_cast(_, State) -> {noreply, State}.",
        "handle_call(_, _, State) -> {reply, ok, State}."
    ],
    Parsed = [form(Form) || Form <- Forms],
    {ok, Module, Binary} = compile:forms(Parsed, []),
    {module, Module} = code:load_binary(Module, "otp_crasher.erl", Binary),
    ets:new(otp_at, [named_table, public]),
    ets:insert(otp_at, {at, now_ns()}).

form(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form.

%% Trees.

tree(Count) ->
    make_idle(),
    process_flag(trap_exit, true),
    Spec = fun(N) ->
        #{id => N, start => {gen_server, start_link, [otp_idle, N, []]}, shutdown => 5000}
    end,
    Children = [Spec(N) || N <- lists:seq(1, Count)],
    erlang:garbage_collect(),
    Before = resident(),
    T0 = now_ns(),
    {ok, Sup} = supervisor:start_link(otp, {1, Children}),
    T1 = now_ns(),
    After = resident(),
    T2 = now_ns(),
    Monitor = monitor(process, Sup),
    exit(Sup, shutdown),
    receive {'DOWN', Monitor, process, Sup, _} -> ok end,
    T3 = now_ns(),
    [(T1 - T0) / Count, (T3 - T2) / Count, max(0, After - Before) / Count].

make_idle() ->
    Forms = [
        "-module(otp_idle).",
        "-export([init/1, handle_cast/2, handle_call/3, terminate/2]).",
        "init(N) -> process_flag(trap_exit, true), {ok, N}.",
        "handle_cast({done, Who}, N) -> Who ! done, {noreply, N};"
        "handle_cast(_, N) -> {noreply, N}.",
        "handle_call(_, _, N) -> {reply, ok, N}.",
        "terminate(_, _) -> ok."
    ],
    {ok, Module, Binary} = compile:forms([form(Form) || Form <- Forms], []),
    {module, Module} = code:load_binary(Module, "otp_idle.erl", Binary).

%% How three children stop: each tells when it begins and, after others had time to, when it has ended.
stops() ->
    make_slow(),
    process_flag(trap_exit, true),
    Spec = fun(N) ->
        #{id => N, start => {gen_server, start_link, [otp_slow, {N, self()}, []]}, shutdown => 5000}
    end,
    {ok, Sup} = supervisor:start_link(otp, {1, [Spec(N) || N <- [1, 2, 3]]}),
    Monitor = monitor(process, Sup),
    exit(Sup, shutdown),
    receive {'DOWN', Monitor, process, Sup, _} -> noted() end.

noted() ->
    receive {noted, N} -> [N | noted()] after 0 -> [] end.

make_slow() ->
    Forms = [
        "-module(otp_slow).",
        "-export([init/1, handle_cast/2, handle_call/3, terminate/2]).",
        "init(State) -> process_flag(trap_exit, true), {ok, State}.",
        "handle_cast(_, State) -> {noreply, State}.",
        "handle_call(_, _, State) -> {reply, ok, State}.",
        "terminate(_, {N, Witness}) ->"
        "    Witness ! {noted, N}, timer:sleep(50), Witness ! {noted, -N}, ok."
    ],
    {ok, Module, Binary} = compile:forms([form(Form) || Form <- Forms], []),
    {module, Module} = code:load_binary(Module, "otp_slow.erl", Binary).

resident() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:lexemes(Text, " "),
    binary_to_integer(iolist_to_binary(Pages)) * 4096.

%% Messages.

tell(Count) ->
    make_idle(),
    {ok, Pid} = gen_server:start_link(otp_idle, 0, []),
    T0 = now_ns(),
    cast(Pid, Count),
    gen_server:cast(Pid, {done, self()}),
    receive done -> ok end,
    [Count * 1.0e9 / (now_ns() - T0)].

cast(_, 0) -> ok;
cast(Pid, Count) ->
    gen_server:cast(Pid, hello),
    cast(Pid, Count - 1).

ask(Count) ->
    make_idle(),
    {ok, Pid} = gen_server:start_link(otp_idle, 0, []),
    Latencies = [begin T0 = now_ns(), ok = gen_server:call(Pid, hello), now_ns() - T0 end
                 || _ <- lists:seq(1, Count)],
    Sorted = lists:sort(Latencies),
    [percentile(Sorted, 0.5), percentile(Sorted, 0.99)].
