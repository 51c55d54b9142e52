#!/usr/bin/env python3
"""A passphrase on a site's secret keys: set, changed, removed; asked for by serve and by every command that reads keys; never
given to a role."""
import base64
import hashlib
import json
import os
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import termios
import time
import urllib.request

from veilleuse_site import PROGRAM, ROOT, Node, Sender, ack_code, adt, done, note, ok, run, same

FIRST = "la veilleuse du couloir nord"
SECOND = "éteindre avant minuit ; jamais"
SANITIZED = "/asan/" in PROGRAM  # where nothing is locked in memory
READER = os.environ.get("VEILLEUSE_VERIFY", os.path.join(ROOT, "build/verify/veilleuse-verify"))
ROLES_WITH_KEYS = ("commit", "publish", "open")


def quiet(*arguments, **options):
    """Without a terminal, whoever runs the test."""
    return run(*arguments, start_new_session=True, stdin=subprocess.DEVNULL, **options)


def secret_files(site):
    found = {}
    for name in ("signing.key", "node.key", "repeat.key"):
        with open(os.path.join(site, "keys", name), "rb") as file:
            found[name] = file.read()
    return found


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


def one_sentence(err):
    return err.startswith("veilleuse: ") and err.count("\n") == 1


class Terminal:
    """The program with a terminal of its own."""

    def __init__(self, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell ignores it for what runs behind it
            os.execv(PROGRAM, [PROGRAM, *arguments])
        self.seen = b""

    def read_until(self, text, wait_s=30):
        """True once `text` has come; also when the program ended after it."""
        deadline = time.monotonic() + wait_s
        while text not in self.seen and time.monotonic() < deadline:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    part = os.read(self.fd, 65536)
                except OSError:
                    break
                if not part:
                    break
                self.seen += part
        return text in self.seen

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def answer(self, prompt, line):
        """Type once it is asked for, and the echo is off."""
        came = self.read_until(prompt)
        deadline = time.monotonic() + 10
        while self.echoes() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.seen = b""
        os.write(self.fd, line)
        return came

    def interrupt(self):
        """Ctrl-C until it ends: one that comes before it reads would only be noticed with the next key."""
        while True:
            os.write(self.fd, b"\x03")
            time.sleep(0.2)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)

    def end(self):
        self.read_until(b"never comes", 60)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return code


def memory_of(pid):
    """Everything readable in a process; None when that is not allowed."""
    parts = []
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r.(..) \S+ \S+ (\d+)", line)
                if not found or found[4] != "0":  # files hold no secrets of ours
                    continue
                start, end = int(found[1], 16), int(found[2], 16)
                if end - start > 1 << 30:  # reserved by a sanitizer
                    continue
                try:
                    memory.seek(start)
                    parts.append(memory.read(end - start))
                except (OSError, ValueError, OverflowError):
                    continue
    except PermissionError:
        return None
    return b"\n".join(parts)


def status_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    return 0


node = Node()
first = write(node.base + "/first", FIRST.encode() + b"\n")
second = write(node.base + "/second", SECOND.encode())
wrong = write(node.base + "/wrong", b"the wrong one\n")
try:
    node.start()
    sender = Sender(node.mllp_port)
    for number in range(30):
        sender.ask(adt(f"A{number}", 4000 + number))
    sender.ask(adt("BIG", 4500) + b"NTE|1||" + os.urandom(40000).hex().encode() + b"\r")
    sender.close()
    same(quiet("key", "passphrase", node.dir, "--new-passphrase-file", first)[0], 69, "not while the node runs")
    same(node.stop(), 0, "stop")
    clear = secret_files(node.dir)
    raw = run("cat", node.dir, "--raw")[1]
    digest = node.digest()
    ok(json.loads(run("key", "list", node.dir, "--json")[1])["passphrase"] is False, "a new site has no passphrase")

    # What is no passphrase is refused, and nothing is changed.
    for what, content in [("an empty one", b""), ("an empty line", b"\n"), ("two lines", b"a\nb\n"), ("too long a one", b"a" * 1001)]:
        code, _, err = quiet("key", "passphrase", node.dir, "--new-passphrase-file", write(node.base + "/bad", content))
        ok(code == 65 and one_sentence(err), f"{what} is refused", code, err)
    code, _, err = quiet("key", "passphrase", node.dir)
    ok(code == 77 and one_sentence(err), "without file and terminal there is none", code, err)
    same(quiet("key", "passphrase", node.dir, "--remove")[0], 69, "there is none to remove")
    same(quiet("key", "passphrase", node.dir, "--remove", "--new-passphrase-file", first)[0], 64, "one thing or the other")
    same(secret_files(node.dir), clear, "nothing is changed by any of it")

    # Set.
    code, out, err = quiet("key", "passphrase", node.dir, "--new-passphrase-file", first)
    same(code, 0, "a passphrase is set")
    locked = secret_files(node.dir)
    ok(all(re.fullmatch(rb"veilleuse-locked-key/1 \S{24} 3 67108864 \S+\n", content) for content in locked.values()), "on all three files", locked)
    same(len({content.split()[1] for content in locked.values()}), 1, "with one salt")
    same(sorted(os.listdir(node.dir + "/keys")), ["node.key", "recipients", "repeat.key", "signed", "signing.key"], "and nothing else lies there")
    ok(all(os.stat(f"{node.dir}/keys/{name}").st_mode & 0o777 == 0o600 for name in locked), "for their owner alone")

    # Who has it not.
    code, out, err = quiet("serve", node.dir, "--mllp", "127.0.0.1:0", "--web", "127.0.0.1:0")
    ok(code == 78 and one_sentence(err) and b"mllp" not in out, "serve without it: 78 and one sentence", code, out, err)
    code, out, err = quiet("serve", node.dir, "--mllp", "127.0.0.1:0", "--web", "127.0.0.1:0", "--passphrase-file", wrong)
    ok(code == 77 and one_sentence(err) and "passphrase" in err and b"mllp" not in out, "with another: 77, and nothing is started", code, out, err)
    same(quiet("serve", node.dir, "--passphrase-file", node.base + "/none")[0], 66, "with a file that is not there: 66")
    message = write(node.base + "/message.hl7", adt("IMP", 4600))
    commands = [("cat", node.dir), ("chart", node.dir, "census"), ("rebuild", node.dir), ("import", node.dir, message),
                ("key", "list", node.dir), ("key", "rotate", node.dir), ("key", "export", node.dir, "1"), ("key", "new-recovery", node.dir),
                ("key", "remove-recipient", node.dir, "recovery"), ("key", "passphrase", node.dir, "--new-passphrase-file", second)]
    before = {name: os.path.getmtime(f"{node.dir}/keys/{name}") for name in os.listdir(node.dir + "/keys")}
    for command in commands:
        code, out, err = quiet(*command)
        ok(code == 77 and one_sentence(err) and not out, f"{' '.join(command[:2 if command[0] == 'key' else 1])} without it", code, out[:200], err)
        code, out, err = quiet(*command, "--passphrase-file", wrong)
        ok(code == 77 and one_sentence(err) and not out, "... and with another", code, out[:200], err)
    same({name: os.path.getmtime(f"{node.dir}/keys/{name}") for name in os.listdir(node.dir + "/keys")}, before, "none of them changed a key file")
    same(quiet("verify", node.dir)[0], 0, "verify needs none")
    same(quiet("status", node.dir)[0], 69, "nor does status")
    same(quiet("prove", node.dir, "3", "--out", node.base + "/proof")[0], 0, "nor a proof")

    # Who has it.
    unlock = ["--passphrase-file", first]
    node.unlock = unlock
    same(quiet("cat", node.dir, "--raw", *unlock)[1], raw, "cat with it: every byte")
    ok(json.loads(quiet("key", "list", node.dir, "--json", *unlock)[1])["passphrase"] is True, "key list says that there is one")
    same(node.digest(), digest, "the chart is the chart there was")
    same(quiet("rebuild", node.dir, *unlock)[0], 0, "rebuild")
    same(quiet("key", "rotate", node.dir, *unlock)[0], 0, "a new epoch")
    code, out, err = quiet("import", node.dir, message, *unlock)
    ok(code == 0 and b"1 stored" in out, "import", code, out, err)
    if os.path.exists(READER):
        second_reader = subprocess.run([READER, "--identity", node.dir + "/keys/node.key", *unlock, node.dir + "/vault"], capture_output=True, check=False)
        same([json.loads(line)["index"] for line in second_reader.stdout.splitlines()], [entry["index"] for entry in node.entries()],
             "the second reader opens the node's key with it, too")
    else:
        note("SKIPPED LOUDLY: the second reader is not built")
    directory = os.path.join(node.base, "credentials")
    os.mkdir(directory)
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": directory}
    same(quiet("cat", node.dir, env=environment)[0], 77, "a service manager that hands over something else")
    write(directory + "/veilleuse-passphrase", FIRST.encode())
    code, out, err = quiet("cat", node.dir, "--raw", env=environment)
    ok(code == 0 and out.startswith(raw), "or this credential", code, err)

    # A node: the passphrase is not needed again, and no role ever has it.
    passing = write(node.base + "/passing", FIRST.encode() + b"\n")
    node.unlock = ["--passphrase-file", passing]
    node.start()
    os.remove(passing)
    node.unlock = unlock
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("B1", 4700))), ("AA", b"B1"), "it takes messages")
    pids = {role: node.role_pid(role) for role in ROLES_WITH_KEYS}
    for role in ROLES_WITH_KEYS:
        os.kill(pids[role], signal.SIGKILL)
        ok(node.wait_until(lambda: node.role_pid(role) not in (0, pids[role]) and node.state()[1]["roles"][role]["state"] == "running"),
           f"{role} is started again without anybody", node.state()[1]["roles"][role])
    same(ack_code(sender.ask(adt("B2", 4701))), ("AA", b"B2"), "and it goes on taking them")
    ok(node.wait_until(lambda: b"|B2|" in b"".join(node.messages())), "which can be read")
    same(quiet("key", "rotate", node.dir)[0], 0, "an order to the node needs no passphrase")
    code, out, err = quiet("import", node.dir, write(node.base + "/more.hl7", adt("IMP2", 4601)))
    ok(code == 0 and b"1 stored" in out, "nor does an import through it", code, out, err)
    state = node.state()[1]
    everyone = {role: entry["pid"] for role, entry in state["roles"].items() if entry.get("pid")}
    everyone["supervisor"] = node.process.pid
    lines = {}
    for role, pid in everyone.items():
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            lines[role] = file.read()
    ok(not any(FIRST.encode() in line for line in lines.values()), "no command line has it", lines)
    same(sorted(role for role, line in lines.items() if b"--unlock" in line), sorted(ROLES_WITH_KEYS), "the key goes to those who read keys")
    peaks = {role: status_of(pid, "VmHWM") for role, pid in everyone.items()}
    most = peaks["supervisor"] - (32 << 10) if SANITIZED else 64 << 10  # a sanitizer's own memory comes and goes
    ok(peaks["supervisor"] > 64 << 10 and all(peaks[role] < most for role in ("open", "publish")),
       "it was worked out once, by the supervisor: no role used the memory that it takes", peaks)
    # What the supervisor keeps begins with the salt, then the cost: there the key is found, to be looked for elsewhere.
    salt = base64.b64decode(locked["node.key"].split()[1])
    memories = {role: memory_of(pid) for role, pid in everyone.items()}
    if all(memory is not None for memory in memories.values()):
        ok(not any(FIRST.encode() in memory for memory in memories.values()), "no process has the passphrase in its memory",
           [role for role, memory in memories.items() if FIRST.encode() in memory])
        at = memories["supervisor"].find(salt + struct.pack("<QQ", 3, 64 << 20))
        key = memories["supervisor"][at + 32:at + 64]
        ok(at >= 0 and key.strip(b"\0"), "the supervisor has its key")
        same(sorted(role for role, memory in memories.items() if key in memory), ["publish", "supervisor"],
             "and the signer, who may have to write his own; the others forgot it")
    else:
        note("SKIPPED LOUDLY: the memory of processes cannot be read here")
    if SANITIZED or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == 0:
        note("SKIPPED LOUDLY: memory cannot be locked here")
    else:
        ok(status_of(everyone["supervisor"], "VmLck") > 0, "in locked memory")
    sender.close()
    same(node.stop(), 0, "stop")
    same(secret_files(node.dir)["node.key"], locked["node.key"], "its files are as they were")

    # Pages of the past, whose sources are read with the keys, each time anew.
    past = os.path.join(node.base, "past.db")
    same(quiet("rebuild", node.dir, "--until-entry", "20", "--out", past)[0], 77, "a chart of the past needs it")
    same(quiet("rebuild", node.dir, "--until-entry", "20", "--out", past, *unlock)[0], 0, "and is made with it")
    same(quiet("serve", node.dir, "--chart", past)[0], 78, "so do its pages")
    viewer = subprocess.Popen([PROGRAM, "serve", node.dir, "--chart", past, *unlock], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              start_new_session=True)
    address = viewer.stdout.readline().decode().split()[1]
    pages = [urllib.request.urlopen(f"{address}entry/{number}", timeout=30).read() for number in (5, 5, 6)]
    ok(all(b"DUPONT" in page for page in pages), "where the message behind a figure is shown", pages[0][:300])
    viewer.send_signal(signal.SIGTERM)
    same(viewer.wait(30), 0, "they stop")

    # The next epoch of the origin writes the signing key anew.
    with open(node.dir + "/vault/verifier", encoding="ascii") as file:
        origin, _, public_key = file.read().splitlines()[-1].split("+", 2)
    name = hashlib.sha256(origin.encode() + base64.b64decode(public_key)[1:]).hexdigest()[:16]
    os.remove("/dev/shm/veilleuse-" + name)  # what this machine remembers of it
    same(json.loads(quiet("verify", node.dir, "--json")[1])["origin"], origin, "until now one origin")
    node.start()
    same(node.stop(), 0, "a life under the next origin")
    ok(json.loads(quiet("verify", node.dir, "--json")[1])["origin"] != origin, "is whole")
    ok(secret_files(node.dir)["signing.key"].startswith(b"veilleuse-locked-key/1 " + locked["node.key"].split()[1]), "its key is locked too")

    # At a terminal.
    terminal = Terminal("cat", node.dir, "--raw", "--to", "3")
    ok(terminal.answer(b"Passphrase of the keys of ", FIRST.encode() + b"\n"), "at a terminal it is asked for")
    code = terminal.end()
    ok(code == 0 and b"MSH" in terminal.seen and FIRST.encode() not in terminal.seen, "and typed without echo", code, terminal.seen[:300])
    terminal = Terminal("cat", node.dir)
    terminal.answer(b"Passphrase", b"no\n")
    same(terminal.end(), 77, "a wrong one")
    terminal = Terminal("cat", node.dir)
    terminal.read_until(b"Passphrase")
    code = terminal.interrupt()
    ok(code == -signal.SIGINT and terminal.echoes(), "interrupted, it ends and gives the echo back", code)
    kept = secret_files(node.dir)
    for lines, wanted in [((SECOND, SECOND + "x"), 65), (("",), 65)]:
        terminal = Terminal("key", "passphrase", node.dir, *unlock)
        for prompt, line in zip((b"new passphrase", b"once more"), lines):
            terminal.answer(prompt, line.encode() + b"\n")
        same(terminal.end(), wanted, "two that differ" if len(lines) > 1 else "an empty one")
    same(secret_files(node.dir), kept, "change nothing")
    terminal = Terminal("key", "passphrase", node.dir)
    terminal.answer(b"Passphrase of the keys of ", FIRST.encode() + b"\n")
    terminal.answer(b"new passphrase", SECOND.encode() + b"\n")
    terminal.answer(b"once more", SECOND.encode() + b"\n")
    same(terminal.end(), 0, "another one, all at a terminal")

    # Changed, and an old state of the change.
    same(quiet("cat", node.dir, *unlock)[0], 77, "the old one does not open any more")
    node.unlock = ["--passphrase-file", second]
    code, out, err = quiet("cat", node.dir, "--raw", *node.unlock)
    ok(code == 0 and out.startswith(raw), "the new one does", code, err)
    changed = secret_files(node.dir)
    ok(changed["node.key"].split()[1] != locked["node.key"].split()[1], "with a salt of its own")
    write(node.dir + "/keys/changing", b"veilleuse-key-change/1\n" + b"".join(name.encode() + b" " + content for name, content in changed.items()))
    write(node.dir + "/keys/node.key", kept["node.key"])
    write(node.dir + "/keys/repeat.key", kept["repeat.key"])
    same(quiet("cat", node.dir, *unlock)[0], 77, "interrupted in the middle: the new one counts")
    same(quiet("cat", node.dir, "--raw", *node.unlock)[1], out, "alone")
    node.start()
    same(node.stop(), 0, "a node starts all the same")
    same(secret_files(node.dir)["node.key"], changed["node.key"], "and ends the change")
    ok(not os.path.exists(node.dir + "/keys/changing"), "for good")

    # Removed.
    same(quiet("key", "passphrase", node.dir, "--remove", *unlock)[0], 77, "not removed with another")
    same(quiet("key", "passphrase", node.dir, "--remove", *node.unlock)[0], 0, "removed")
    after = secret_files(node.dir)
    same({name: after[name] for name in ("node.key", "repeat.key")}, {name: clear[name] for name in ("node.key", "repeat.key")},
         "the files are as before, byte for byte")
    ok(after["signing.key"].startswith(b"PRIVATE+KEY+test/veilleuse/node1/"), "and the signing key has its newest name")
    node.unlock = []
    node.start()
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("C1", 4800))), ("AA", b"C1"), "the node runs without")
    sender.close()
    same(node.stop(), 0, "stop")
    ok(b"".join(node.messages()).count(b"|C1|") == 1 and quiet("verify", node.dir)[0] == 0, "everything is there, and whole")
finally:
    node.close()
done()
