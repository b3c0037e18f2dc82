# What gdb does first. It is given `pid`, `thread`, `file` and `line`, the last three may be None.
import gdb


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


def begin():
    attach()
    if thread is None or not select_thread():
        return
    try:
        best = find_frame() if file is not None else find_struck()
    except (gdb.error, KeyboardInterrupt) as error:
        print("the frame of the task was not found: %s" % (error or "interrupted"))
        best = None
    if best is not None:
        best.select()
    gdb.execute("frame")


begin()
