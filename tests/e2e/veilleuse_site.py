"""veilleuse_site.py - a throw-away site and its node, for tests that run the real program; TAP is printed."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("VEILLEUSE", os.path.join(ROOT, "build/release/veilleuse"))
DATA = os.environ.get("VEILLEUSE_DATA", os.path.join(ROOT, "../shared/data"))
FAST = bool(os.environ.get("FAST"))  # the same with fewer repetitions

_count = 0
_failed = 0


def ok(passed, name, *notes):
    global _count, _failed
    _count += 1
    _failed += not passed
    print(f"{'' if passed else 'not '}ok {_count} - {name}", flush=True)
    if not passed:
        for note in notes:
            for line in str(note).splitlines()[:20]:
                print(f"# {line}", flush=True)
    return passed


def same(got, wanted, name):
    return ok(got == wanted, name, f"got    {got!r}"[:600], f"wanted {wanted!r}"[:600])


def note(text):
    print(f"# {text}", flush=True)


def done():
    print(f"1..{_count}", flush=True)
    sys.exit(1 if _failed else 0)


def skip_all(why):
    print(f"1..0 # SKIP {why}", flush=True)
    sys.exit(0)


def run(*arguments, **options):
    """Run the program; gives (exit code, stdout bytes, stderr text)."""
    options.setdefault("timeout", 300)
    done_process = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, **options)
    return done_process.returncode, done_process.stdout, done_process.stderr.decode(errors="replace")


def forget_memory(directory):
    """What this machine remembers of a site's signatures, outside its disk, is gone, as after a new start of the machine."""
    try:
        with open(os.path.join(directory, "vault/verifier"), encoding="ascii") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        origin, _, key = line.split("+", 2)
        digest = hashlib.sha256(origin.encode() + base64.b64decode(key)[1:]).hexdigest()
        try:
            os.unlink("/dev/shm/veilleuse-" + digest[:16])
        except OSError:
            pass


class Node:
    """A site in a directory of its own, and the node that serves it."""

    def __init__(self, parent=None, configure=None):
        self.base = tempfile.mkdtemp(prefix="veilleuse-test.", dir=parent)
        self.dir = os.path.join(self.base, "site")
        self.process = None
        self.unlock = []  # options that unlock the site's keys
        code, _, err = run("init", self.dir, "--site", "test", "--name", "Essai")
        if code:
            raise RuntimeError("init: " + err)
        for key, value in (configure or {}).items():
            self.configure(key, value)
        self.mllp_option = self.web_option = "127.0.0.1:0"

    def configure(self, key, value):
        path = os.path.join(self.dir, "veilleuse.conf")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.M)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, wait_s=120):
        self.err_path = os.path.join(self.base, "serve.err")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", self.dir, "--mllp", self.mllp_option, "--web", self.web_option, *self.unlock],
            stdout=subprocess.PIPE, stderr=open(self.err_path, "ab"), start_new_session=True)
        found = {}
        deadline = time.monotonic() + wait_s
        os.set_blocking(self.process.stdout.fileno(), False)
        text = b""
        while len(found) < 2:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("serve did not come up: " + self.errors())
            text += self.process.stdout.read() or b""
            for line in text.decode().splitlines():
                words = line.split()
                if len(words) == 2 and words[0] in ("mllp", "web"):
                    found[words[0]] = words[1]
            time.sleep(0.01)
        self.mllp, self.web = found["mllp"], found["web"]
        self.mllp_port = int(self.mllp.rsplit(":", 1)[1])
        # A restart comes back where its senders look for it.
        self.mllp_option = self.mllp
        self.web_option = self.web[len("http://"):].rstrip("/")
        return self

    def errors(self):
        with open(self.err_path, encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def stop(self, wait_s=120):
        """SIGTERM; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(wait_s)
        self.process = None
        return code

    def kill_all(self):
        """kill -9 of the whole node at once."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None

    def state(self):
        code, out, _ = run("status", self.dir, "--json")
        try:
            return code, json.loads(out)
        except ValueError:
            return code, None

    def role_pid(self, role):
        _, state = self.state()
        return state["roles"][role]["pid"] if state and "roles" in state else 0

    def wait_until(self, what, wait_s=120):
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if what():
                return True
            time.sleep(0.05)
        return False

    def entries(self):
        code, out, err = run("cat", self.dir, *self.unlock)
        if code:
            raise RuntimeError("cat: " + err)
        return [json.loads(line) for line in out.splitlines()]

    def messages(self):
        """The bodies of all messages, as bytes, in order."""
        code, out, err = run("cat", self.dir, "--mllp", *self.unlock)
        if code:
            raise RuntimeError("cat: " + err)
        return [part[1:] for part in out.split(b"\x1c\r")[:-1]]

    def digest(self):
        code, out, err = run("chart", self.dir, "digest", *self.unlock)
        return out.decode().strip() if code == 0 else f"failed: {err}"

    def send(self, *arguments, **options):
        code, out, err = run("send", self.mllp, *arguments, "--json", **options)
        try:
            report = json.loads(out)
        except ValueError:
            report = None
        return code, report, err

    def close(self):
        if self.process:
            self.kill_all()
        forget_memory(self.dir)
        shutil.rmtree(self.base, ignore_errors=True)


class Sender:
    """One MLLP connection of our own, so that nothing of the program checks itself."""

    def __init__(self, port, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.settimeout(timeout)
        self.buffer = b""

    def put(self, message):
        self.socket.sendall(b"\x0b" + message + b"\x1c\r")

    def answer(self):
        while b"\x1c\r" not in self.buffer:
            part = self.socket.recv(65536)
            if not part:
                raise ConnectionError("closed")
            self.buffer += part
        frame, self.buffer = self.buffer.split(b"\x1c\r", 1)
        return frame.lstrip(b"\x0b")

    def ask(self, message):
        self.put(message)
        return self.answer()

    def close(self):
        self.socket.close()


def ack_code(answer):
    """('AA', control id) of an acknowledgement."""
    for segment in answer.split(b"\r"):
        if segment.startswith(b"MSA"):
            fields = segment.split(segment[3:4])
            return fields[1].decode(), fields[2] if len(fields) > 2 else b""
    return "", b""


def adt(control_id, number=1, text="", trigger="A01", stamp="20260105080000.000+0100"):
    """A small valid message."""
    return (f"MSH|^~\\&|GAM|HOP|VEIL|HOP|{stamp}||ADT^{trigger}^ADT_{trigger}|{control_id}|P|2.5|||||FRA|UNICODE UTF-8\r"
            f"EVN|{trigger}|{stamp}\r"
            f"PID|1||{number}^^^HOP^PI||DUPONT^Jeanne{text}||19450714|F\r"
            f"PV1|1|I|CARD^101^{number % 50}^HOP|||||||||||||||{number}^^^HOP^VN\r").encode()
