# What gdb does first. It is told `pid`, `thread`, `gate`, `file` and `line`; all but the first may
# be None.
import os
import signal

import gdb

# Where the task goes on when its pause is over.
tractor_pc = None


def attach():
    try:
        gdb.execute("attach %d" % pid, to_string=True)
    except gdb.error as error:
        print(error)
        gdb.execute("quit %d" % cannot_attach)


def select_thread():
    for one in gdb.selected_inferior().threads():
        if one.ptid[1] == thread:
            one.switch()
            return True
    return False


def is_of(symtab):
    return any(
        name == file or name.endswith("/" + file)
        for name in (symtab.filename, symtab.fullname())
    )


# The frame of the task's own code: of those in the file of the pause the nearest to its line. A
# pause that spans lines, or ends in `.await`, is not always given its first one.
def find_frame():
    best, distance, frame = None, None, gdb.newest_frame()
    for _ in range(10000):
        if frame is None:
            break
        sal = frame.find_sal()
        if sal.symtab is not None and is_of(sal.symtab):
            away = abs(sal.line - line)
            if best is None or away < distance:
                best, distance = frame, away
        frame = frame.older()
    return best


# The frame that a signal has struck: the one below its handler, of those that have a line.
def find_struck():
    frame = gdb.newest_frame()
    struck = False
    for _ in range(100):
        if frame is None:
            break
        if struck and frame.find_sal().symtab is not None:
            return frame
        struck = struck or frame.type() == gdb.SIGTRAMP_FRAME
        frame = frame.older()
    return None


# Ends the pause, when the process runs again. A step begins where the task's own code goes on.
def tractor_release(is_step):
    global gate
    selected = gdb.selected_thread()
    if gate is None or (is_step and (selected is None or selected.ptid[1] != thread)):
        return
    if is_step and tractor_pc is None:
        raise gdb.GdbError("where the task goes on is not known: `break` and `continue`")
    with open(gate, "wb", buffering=0) as pipe:
        pipe.write(b"r")
    gate = None
    print("the pause is over: when gdb is left the program goes on")
    if is_step:
        gdb.execute("tbreak *%#x thread %d" % (tractor_pc, selected.num), to_string=True)
        gdb.execute("continue")
        if gdb.selected_frame().pc() != tractor_pc:
            raise gdb.GdbError("it has stopped elsewhere")


def begin():
    global tractor_pc
    # The root would have to take the terminal back, and stands still.
    if pid == os.getppid():
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    attach()
    if thread is None or not select_thread():
        return
    try:
        best = find_frame() if file is not None else find_struck()
    except (gdb.error, KeyboardInterrupt) as error:
        print("the frame of the task was not found: %s" % (str(error) or "interrupted"))
        best = None
    if best is not None:
        best.select()
        tractor_pc = best.pc()
    for name in ("next", "step", "until", "advance", "finish", "continue"):
        release = "python tractor_release(%s)" % (name != "continue")
        gdb.execute("define hook-%s\n%s\nend" % (name, release), to_string=True)
    gdb.execute("frame")


begin()
