%% Erlang's side of the differential test: runs a script on OTP's own `supervisor`.
%%
%% Reads one term a line from standard input, `{Tree, Operations}.`, and writes for each step what was
%% started and what ended, in order, the answer, and the state of the tree once it is at rest:
%%
%%     t start /r/a        a run of /r/a begins
%%     t end /r/a killed   it ended, and why
%%     a ok                the answer
%%     s /r/a up worker permanent
%%     .                   the end of a step
%%     done                the end of the script
%%
%% Every child tells the watcher that it begins and goes on when the watcher monitors it; so the order
%% in the watcher's mailbox is the order of what happened. The node has one scheduler for that reason.
-module(driver).
-behaviour(supervisor).
-export([main/0, init/1, start/2, start_dynamic/3, leaf/3]).

main() ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    %% {Path, Pid, Kind} of the newest run, and {Pid, Path}.
    runs = ets:new(runs, [named_table, public]),
    register(watcher, spawn_link(fun() -> watch([], 0, #{}, #{}) end)),
    %% A script with 60 operations is a few kilobytes long.
    Port = open_port({fd, 0, 1}, [{line, 1048576}, binary, eof]),
    serve(Port).

serve(Port) ->
    receive
        {Port, {data, {eol, Line}}} ->
            {ok, Tokens, _} = erl_scan:string(binary_to_list(Line)),
            {ok, {Tree, Operations}} = erl_parse:parse_term(Tokens),
            script(Port, Tree, Operations),
            serve(Port);
        {Port, eof} ->
            halt(0);
        %% A root that ended.
        {'EXIT', _, _} ->
            serve(Port)
    end.

script(Port, Tree, Operations) ->
    ets:delete_all_objects(runs),
    _ = call(forget),
    Answer =
        case start(Tree, <<>>) of
            {ok, _} -> "ok";
            {error, _} -> "failed"
        end,
    say(Port, Answer),
    lists:foreach(fun(Operation) -> say(Port, operate(Operation)) end, Operations),
    say(Port, shut_down()),
    port_command(Port, "done\n").

%% Waits until the tree is at rest and writes a step.
say(Port, Answer) ->
    State = settle(none),
    Trace = call(take),
    port_command(Port, [
        [["t ", Line, $\n] || Line <- Trace],
        ["a ", Answer, $\n],
        [["s ", Line, $\n] || Line <- State],
        ".\n"
    ]).

%% --- what is done to the tree ---

operate({exit, Path, Reason}) ->
    strike({exit, Path, Reason});
operate({kill, Path}) ->
    strike({kill, Path});
operate({fail, Path, Times}) ->
    call({fail, Path, Times});
operate({pass, Seconds}) ->
    %% As if that long had gone by: each restart that a supervisor remembers is so much older. The
    %% eighth element of its state are the instants of its restarts.
    [sys:replace_state(Sup, fun(State) ->
        setelement(8, State, [Then - Seconds || Then <- element(8, State)])
     end) || {Path, Sup, supervisor} <- ets:tab2list(runs), alive(Path) =:= {Sup, supervisor}],
    "ok";
operate({together, SupPath, Strikes}) ->
    %% Several ends that the supervisor hears of one after the other, and none before all are over.
    with(SupPath, fun(Sup) ->
        sys:suspend(Sup),
        Answers = [[strike(Strike), $\s] || Strike <- Strikes],
        sys:resume(Sup),
        Answers
    end);
operate({in_a_row, SupPath, Strike, Command}) ->
    %% The supervisor hears of the command right after the end.
    with(SupPath, fun(Sup) ->
        sys:suspend(Sup),
        First = strike(Strike),
        Waiting = waiting(Sup),
        {Caller, Monitor} = spawn_monitor(fun() -> exit({answer, operate(Command)}) end),
        wait_for_more(Sup, Waiting, Caller),
        sys:resume(Sup),
        receive
            {'DOWN', Monitor, process, Caller, {answer, Answer}} -> [First, $\s, Answer];
            {'DOWN', Monitor, process, Caller, _} -> [First, " not_running"]
        end
    end);
operate({start, SupPath, Node}) ->
    with(SupPath, fun(Sup) ->
        case supervisor:start_child(Sup, spec(Node, SupPath)) of
            {ok, _} -> "ok";
            {error, {already_started, _}} -> "already_started";
            {error, already_present} -> "already_present";
            {error, {bad_combination, _}} -> "invalid";
            {error, _} -> "failed"
        end
    end);
operate({start_dynamic, SupPath, Name}) ->
    with(SupPath, fun(Sup) ->
        case supervisor:start_child(Sup, [Name]) of
            {ok, _} -> "ok";
            {error, _} -> "failed"
        end
    end);
operate({stop_dynamic, SupPath, Name}) ->
    with(SupPath, fun(Sup) ->
        case ets:lookup(runs, below(SupPath, Name)) of
            [{_, Pid, _}] -> answer(supervisor:terminate_child(Sup, Pid));
            %% Asked about a process that lives and is no child of it.
            [] -> answer(supervisor:terminate_child(Sup, self()))
        end
    end);
operate({stop, SupPath, Name}) ->
    with(SupPath, fun(Sup) -> answer(supervisor:terminate_child(Sup, Name)) end);
operate({restart, SupPath, Name}) ->
    with(SupPath, fun(Sup) -> answer(supervisor:restart_child(Sup, Name)) end);
operate({delete, SupPath, Name}) ->
    with(SupPath, fun(Sup) -> answer(supervisor:delete_child(Sup, Name)) end).

waiting(Sup) ->
    {message_queue_len, Waiting} = process_info(Sup, message_queue_len),
    Waiting.

%% Some commands are answered without asking the supervisor.
wait_for_more(Sup, Waiting, Caller) ->
    case waiting(Sup) =:= Waiting andalso is_process_alive(Caller) of
        true ->
            erlang:yield(),
            wait_for_more(Sup, Waiting, Caller);
        false ->
            ok
    end.

answer(ok) -> "ok";
answer({ok, _}) -> "ok";
answer({error, Known}) when
    Known =:= running; Known =:= restarting; Known =:= not_found
-> atom_to_list(Known);
answer({error, _}) -> "failed".

with(SupPath, Do) ->
    case alive(SupPath) of
        {Sup, supervisor} -> Do(Sup);
        _ -> "not_running"
    end.

%% Ends a leaf and returns when it is over.
strike(Strike) ->
    case alive(element(2, Strike)) of
        {Pid, worker} ->
            Monitor = monitor(process, Pid),
            case Strike of
                {exit, _, Reason} -> Pid ! {exit, Reason};
                {kill, _} -> exit(Pid, kill)
            end,
            receive {'DOWN', Monitor, process, Pid, _} -> "done" end;
        _ ->
            "absent"
    end.

shut_down() ->
    case alive(<<"/r">>) of
        {Root, _} ->
            Monitor = monitor(process, Root),
            exit(Root, shutdown),
            receive {'DOWN', Monitor, process, Root, _} -> "ok" end;
        none ->
            "not_running"
    end.

%% --- the tree ---

start({leaf, Name, _, _, _, OnStop}, Parent) ->
    proc_lib:start_link(?MODULE, leaf, [below(Parent, Name), OnStop, self()]);
start({sup, Name, _, _, _, Strategy, Intensity, Period, Auto, Children}, Parent) ->
    Path = below(Parent, Name),
    supervisor:start_link(?MODULE, {Path, Strategy, Intensity, Period, Auto, Children}).

%% A child of a simple_one_for_one supervisor: the template, under a name of its own.
start_dynamic(Template, Parent, Name) ->
    start(setelement(2, Template, Name), Parent).

init({Path, Strategy, Intensity, Period, Auto, Children}) ->
    ok = call({starting, self(), Path, supervisor}),
    Flags = #{strategy => Strategy, intensity => Intensity, period => Period, auto_shutdown => Auto},
    {ok, {Flags, [spec(Child, Path, Strategy) || Child <- Children]}}.

spec(Template, Path, simple_one_for_one) ->
    (spec(Template, Path))#{start => {?MODULE, start_dynamic, [Template, Path]}};
spec(Node, Path, _) ->
    spec(Node, Path).

spec(Node, Path) ->
    Type = case element(1, Node) of leaf -> worker; sup -> supervisor end,
    #{id => element(2, Node), start => {?MODULE, start, [Node, Path]}, restart => element(3, Node),
      significant => element(4, Node), shutdown => element(5, Node), type => Type}.

leaf(Path, OnStop, Parent) ->
    process_flag(trap_exit, true),
    case call({starting, self(), Path, worker}) of
        ok ->
            proc_lib:init_ack(Parent, {ok, self()}),
            live(OnStop, Parent);
        refused ->
            exit(start_refused)
    end.

live(OnStop, Parent) ->
    receive
        {exit, Reason} -> exit(Reason);
        {'EXIT', Parent, Reason} when OnStop =:= obey -> exit(Reason);
        {'EXIT', Parent, _} when OnStop =:= fail -> exit(cleanup_failed);
        {'EXIT', Parent, _} when OnStop =:= deaf -> live(OnStop, Parent)
    end.

below(Parent, Name) -> <<Parent/binary, "/", Name/binary>>.

alive(Path) ->
    case ets:lookup(runs, Path) of
        [{_, Pid, Kind}] ->
            case is_process_alive(Pid) of
                true -> {Pid, Kind};
                false -> none
            end;
        [] ->
            none
    end.

%% --- what is seen of it ---

%% Reads the tree until nothing has changed since the last reading. A supervisor that answers has
%% handled every end that it had heard of before.
settle(Before) ->
    Count = call(count),
    State = (catch dump(<<"/r">>)),
    case {Count, State} of
        Before -> State;
        Now -> settle(Now)
    end.

dump(Path) ->
    case alive(Path) of
        none ->
            [[Path, " gone"]];
        {Sup, _} ->
            Counts = supervisor:count_children(Sup),
            Children = children(Sup),
            Numbers = [integer_to_list(Number) || {_, Number} <- Counts],
            [[Path, " counts ", lists:join($\s, Numbers)]
             | lists:flatmap(fun(Child) -> line(Sup, Path, Child) end, Children)]
    end.

%% In start order; of a simple_one_for_one supervisor, by name.
children(Sup) ->
    case supervisor:which_children(Sup) of
        [{undefined, _, _, _} | _] = Dynamic -> lists:sort([name(Child) || Child <- Dynamic]);
        Static -> lists:reverse([{Id, Id, Pid, Type} || {Id, Pid, Type, _} <- Static])
    end.

name({undefined, Pid, Type, _}) when is_pid(Pid) ->
    [{_, Path}] = ets:lookup(runs, Pid),
    {lists:last(binary:split(Path, <<"/">>, [global])), Pid, Pid, Type};
name({undefined, restarting, Type, _}) ->
    {<<"?">>, none, restarting, Type}.

line(Sup, Parent, {Name, Id, Pid, Type}) ->
    Path = below(Parent, Name),
    State = case Pid of undefined -> "down"; restarting -> "restarting"; _ -> "up" end,
    {ok, #{restart := Restart}} = supervisor:get_childspec(Sup, Id),
    Line = [Path, $\s, State, $\s, atom_to_list(Type), $\s, atom_to_list(Restart)],
    case Type of
        supervisor when is_pid(Pid) -> [Line | dump(Path)];
        _ -> [Line]
    end.

call(Request) ->
    Ref = make_ref(),
    watcher ! {Request, self(), Ref},
    receive {Ref, Answer} -> Answer end.

watch(Log, Count, Paths, Fails) ->
    receive
        {{starting, Pid, Path, Kind}, From, Ref} ->
            Monitor = monitor(process, Pid),
            ets:insert(runs, [{Path, Pid, Kind}, {Pid, Path}]),
            Left = maps:get(Path, Fails, 0),
            From ! {Ref, if Left > 0 -> refused; true -> ok end},
            watch([["start ", Path] | Log], Count + 1, Paths#{Monitor => Path},
                  Fails#{Path => max(0, Left - 1)});
        {'DOWN', Monitor, process, _, Reason} ->
            {Path, Rest} = maps:take(Monitor, Paths),
            watch([["end ", Path, $\s, reason(Reason)] | Log], Count + 1, Rest, Fails);
        {{fail, Path, Times}, From, Ref} ->
            From ! {Ref, "ok"},
            watch(Log, Count, Paths, Fails#{Path => Times});
        {count, From, Ref} ->
            From ! {Ref, Count},
            watch(Log, Count, Paths, Fails);
        {take, From, Ref} ->
            From ! {Ref, lists:reverse(Log)},
            watch([], Count, Paths, Fails);
        {forget, From, Ref} ->
            From ! {Ref, ok},
            watch([], Count, Paths, #{})
    end.

reason(normal) -> "normal";
reason(shutdown) -> "shutdown";
reason({shutdown, {failed_to_start_child, _, _}}) -> "start_failed";
reason({shutdown, _}) -> "shutdown";
reason(killed) -> "killed";
reason(start_refused) -> "start_failed";
reason(oops) -> "failed";
reason(cleanup_failed) -> "failed";
reason(Other) -> io_lib:format("~0p", [Other]).
