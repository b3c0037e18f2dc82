# What lldb does first. It is told `pid`, `thread`, `gate`, `file` and `line`; all but the first may
# be None.
import os
import signal

import lldb

# Where the task goes on when its pause is over.
tractor_pc = None

# The short names of commands, and what they stand for.
COMMANDS = {
    "next": "thread step-over",
    "n": "thread step-over",
    "step": "thread step-in",
    "s": "thread step-in",
    "finish": "thread step-out",
    "continue": "process continue",
    "c": "process continue",
}


def run(command):
    result = lldb.SBCommandReturnObject()
    lldb.debugger.GetCommandInterpreter().HandleCommand(command, result)
    return result


def process():
    return lldb.debugger.GetSelectedTarget().GetProcess()


def attach():
    result = run("process attach --pid %d" % pid)
    if not result.Succeeded():
        print(result.GetError(), end="", flush=True)
        # `quit` would be heard only when this is over.
        os._exit(cannot_attach)


# lldb has taken every `..` out of the paths that it knows.
def is_of(path):
    wanted = os.path.normpath(file)
    return path is not None and (path == wanted or path.endswith("/" + wanted))


# The frame of the task's own code: of those in the file of the pause the nearest to its line. A
# pause that spans lines, or ends in `.await`, is not always given its first one.
def find_frame(frames):
    best, distance = None, None
    for frame in frames:
        entry = frame.GetLineEntry()
        if entry.IsValid() and is_of(entry.GetFileSpec().fullpath):
            away = abs(entry.GetLine() - line)
            if best is None or away < distance:
                best, distance = frame, away
    return best


# The frame that a signal has struck: the one below its handler, of those that have a line.
def find_struck(frames):
    struck = False
    for frame in frames:
        if struck and frame.GetLineEntry().IsValid():
            return frame
        struck = struck or frame.GetFunctionName() == "__restore_rt"
    return None


# Ends the pause, when the process runs again. A step begins where the task's own code goes on.
def release(is_step):
    global gate
    selected = process().GetSelectedThread()
    if gate is None or (is_step and selected.GetThreadID() != thread):
        return None
    if is_step and tractor_pc is None:
        return "where the task goes on is not known: `breakpoint set` and `continue`"
    with open(gate, "wb", buffering=0) as pipe:
        pipe.write(b"r")
    gate = None
    print("the pause is over: when lldb is left the program goes on", flush=True)
    return go_on() if is_step else None


def go_on():
    target = lldb.debugger.GetSelectedTarget()
    there = target.BreakpointCreateByAddress(tractor_pc)
    there.SetThreadID(thread)
    is_async = lldb.debugger.GetAsync()
    lldb.debugger.SetAsync(False)
    error = process().Continue()
    lldb.debugger.SetAsync(is_async)
    target.BreakpointDelete(there.GetID())
    if not error.Success():
        return str(error)
    one = process().GetThreadByID(thread)
    if not one.IsValid() or one.GetFrameAtIndex(0).GetPC() != tractor_pc:
        return "it has stopped elsewhere"
    process().SetSelectedThread(one)
    return None


# Has a command end the pause before it does what it is for.
def hook(name, command):
    def hooked(debugger, arguments, result, dictionary):
        error = release(command != "process continue")
        if error is not None:
            return result.SetError(error)
        done = run(command + " " + arguments)
        result.AppendMessage((done.GetOutput() or "").rstrip())
        if not done.Succeeded():
            result.SetError((done.GetError() or "").rstrip())

    hooked.__doc__ = "Ends the pause of the task, and does as `%s`." % command
    globals()["tractor_" + name] = hooked
    run("command unalias " + name)
    run("command script add -f tractor_%s %s" % (name, name))


def begin():
    global tractor_pc
    # The root would have to take the terminal back, and stands still.
    if pid == os.getppid():
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    attach()
    one = process().GetThreadByID(thread or 0)
    if not one.IsValid():
        return
    process().SetSelectedThread(one)
    best = find_frame(one.frames) if file is not None else find_struck(one.frames)
    if best is not None:
        one.SetSelectedFrame(best.GetFrameID())
        tractor_pc = best.GetPC()
    if gate is not None:
        for name, command in COMMANDS.items():
            hook(name, command)


begin()
