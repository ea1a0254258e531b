"""Runs a command in a terminal of its own: python3 terminal.py SIGNAL WORDS... reads steps from standard input, one JSON list a line,
[wait for this output, then type this], ends the command by SIGNAL ("" for none), and prints {code, out, seconds, canonical}: the exit code, what the
terminal showed, seconds from the last step to the end, whether the terminal reads lines while the command runs, and afterwards."""
import fcntl
import json
import os
import pty
import select
import signal
import sys
import termios
import time

MOST_SECONDS = 60
how, words = sys.argv[1], sys.argv[2:]
steps = [json.loads(line) for line in sys.stdin]
ours, theirs = pty.openpty()
child = os.fork()
if child == 0:
    os.setsid()
    os.close(ours)
    for number in range(3):
        os.dup2(theirs, number)
    os.close(theirs)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # keys such as Ctrl-C and Ctrl-Z are signals, where the command leaves them to the terminal
    os.execvp(words[0], words)
out = b""


def read(seconds):
    global out
    if select.select([ours], [], [], seconds)[0]:
        try:
            out += os.read(ours, 4096)
        except OSError:
            pass


def canonical():
    return bool(termios.tcgetattr(theirs)[3] & termios.ICANON)


def wait_for(text, seen):
    end = time.time() + MOST_SECONDS
    while text.encode() not in out[seen:]:
        if time.time() > end:
            os.kill(child, signal.SIGKILL)
            sys.exit("%r does not come, but %r" % (text, out[seen:]))
        read(0.1)


for text, keys in steps:
    wait_for(text, 0)
    during = canonical()
    out, shown = b"", out
    os.write(ours, keys.encode())
began = time.time()
if how:
    os.kill(child, getattr(signal, how))
status = 0
while time.time() < began + MOST_SECONDS:
    read(0.02)
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        break
else:
    os.kill(child, signal.SIGKILL)
seconds = time.time() - began
read(0.1)
code = os.waitstatus_to_exitcode(status)
print(json.dumps({"code": code, "out": out.decode(), "seconds": seconds, "canonical": [during, canonical()]}))
