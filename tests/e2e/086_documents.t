#!/usr/bin/env python3
"""Documents of hundreds of megabytes pass through every process in little memory, and come back as they came: over MLLP, from
files, through a node and without one, into the chart, out of the vault.

FAST=1 leaves out the one of a gigabyte, and so does a disk that has no room for it."""
import base64
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import threading
import time

from veilleuse_site import PROGRAM, Node, Sender, ack_code, adt, done, note, ok, run, same

MIB = 1 << 20
PEAK_MAX_KIB = 64 * 1024
PIECE = base64.b64encode(bytes(range(256)) * 3072)  # 1 MiB of text


class Document:
    """An MDM with `mib` MiB of base64 in it, made anew each time it is asked for, a piece at a time."""

    def __init__(self, name, mib, number=4711):
        self.name, self.mib = name, mib
        self.head = (f"MSH|^~\\&|DOC|HOP|VEIL|HOP|20260105080000+0100||MDM^T02^MDM_T02|{name}|P|2.5|||||FRA|UNICODE UTF-8\r"
                     "EVN|T02|20260105080000+0100\r"
                     f"PID|1||{number}^^^HOP^PI||DUPONT^Jeanne||19450714|F\r"
                     f"TXA|1|DS|PDF|20260105080000|||||||{name}|||||AU\r"
                     "OBX|1|ED|PDF^Scan||^application^pdf^Base64^").encode()
        self.tail = b"||||||F\rNTE|1||what stands behind it\r"
        self.sha = hashlib.sha256()
        self.bytes = 0
        for piece in self.pieces():
            self.sha.update(piece)
            self.bytes += len(piece)

    def pieces(self):
        yield self.head
        for i in range(self.mib):
            yield b"%08d" % i + PIECE[8:]
        yield self.tail

    def write(self, path, before=b"", after=b""):
        with open(path, "wb") as file:
            file.write(before)
            for piece in self.pieces():
                file.write(piece)
            file.write(after)

    def send(self, sender):
        sender.socket.sendall(b"\x0b")
        for piece in self.pieces():
            sender.socket.sendall(piece)
        sender.socket.sendall(b"\x1c\r")
        return sender.answer()


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def measured(*arguments, take=None):
    """Run the program; gives (exit code, peak KiB, what `take` made of its output)."""
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    got = take(process.stdout) if take else process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    if process.returncode:
        note(errors[0].decode(errors="replace")[:300])
    return process.returncode, usage.ru_maxrss, got


def digest_of(stream):
    sha, size = hashlib.sha256(), 0
    while part := stream.read(MIB):
        sha.update(part)
        size += len(part)
    return size, sha.hexdigest()


def is_small(peak, what):
    note(f"{what}: {peak / 1024:.1f} MiB at most")
    return ok(peak < PEAK_MAX_KIB, f"{what} stays under 64 MiB", peak)


def roles_are_small(node, when):
    _, state = node.state()
    peaks = {name: peak_kib(role["pid"]) for name, role in state["roles"].items() if role.get("pid")}
    peaks["supervisor"] = peak_kib(node.process.pid)
    note(", ".join(f"{name} {peak / 1024:.1f}" for name, peak in sorted(peaks.items())) + f" MiB at most, {when}")
    ok(len(peaks) >= 7 and max(peaks.values()) < PEAK_MAX_KIB, f"every process stays under 64 MiB, {when}", peaks)


def documents_of(node, number=4711):
    """{name: (entry, bytes of its content, text)} as the chart has it."""
    _, out, _ = run("chart", node.dir, "documents", number, "--json")
    try:
        answer = json.loads(out)
    except ValueError:
        return {}
    return {d["document"]: (d["source"]["entry"], d["encapsulated_bytes"], d["text"]) for d in answer["documents"]}


def files_in(node, directory):
    return sum(len(files) for _, _, files in os.walk(os.path.join(node.dir, "vault", directory)))


def unfinished(node):
    return [name for name in os.listdir(os.path.join(node.dir, "vault/wal")) if name.startswith("blob-")]


def comes_back(node, document, index, what):
    code, peak, got = measured("cat", node.dir, "--raw", "--from", index, "--to", index + 1, take=digest_of)
    same((code, got), (0, (document.bytes, document.sha.hexdigest())), f"{what} comes back as it came")
    is_small(peak, f"cat of {what}")


def is_opened_by_age(node, document, what):
    """The age tool, which is not ours, opens the largest blob with the identity of the epoch's documents."""
    if not shutil.which("age"):
        note("SKIPPED LOUDLY: no age tool here")
        return
    blobs = [os.path.join(at, name) for at, _, names in os.walk(node.dir + "/vault/blob") for name in names]
    identity = os.path.join(node.base, "epoch-identity")
    code, out, err = run("key", "export", node.dir, "1")
    with open(identity, "wb") as file:
        file.write(out)
    process = subprocess.Popen(["age", "-d", "-i", identity, max(blobs, key=os.path.getsize)], stdout=subprocess.PIPE)
    same((code, digest_of(process.stdout), process.wait()), (0, (document.bytes, document.sha.hexdigest()), 0), f"the age tool opens {what}")


def page(node, path):
    host, port = node.web[len("http://"):].rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


node = Node(configure={"message_bytes_max": 2 << 30})
try:
    free = shutil.disk_usage(node.base).free
    large = 1024 if not os.environ.get("FAST") and free > 10 << 30 else 0
    if not large:
        note("SKIPPED LOUDLY: the document of 1 GiB" + ("" if os.environ.get("FAST") else f": {free >> 20} MiB are free"))
    node.start()
    roles_are_small(node, "at the start")

    # ---- over MLLP, with others who send at the same time ----
    first = Document("MLLP200", 200)
    sender, other = Sender(node.mllp_port, timeout=300), Sender(node.mllp_port, timeout=300)
    answers, is_over = [], threading.Event()

    def send_others():
        number = 0
        while not is_over.is_set():
            number += 1
            answers.append(ack_code(other.ask(adt(f"O{number}", number % 40 + 1)))[0])

    thread = threading.Thread(target=send_others)
    thread.start()
    answer = first.send(sender)
    is_over.set()
    thread.join()
    same(ack_code(answer), ("AA", b"MLLP200"), "a message of 200 MiB is taken")
    ok(len(answers) > 10 and set(answers) == {"AA"}, f"and {len(answers)} small ones meanwhile", set(answers))
    ok(node.wait_until(lambda: "MLLP200" in documents_of(node), 60), "the chart has it")
    index, content_bytes, text = documents_of(node)["MLLP200"]
    same(content_bytes, 200 * MIB * 3 // 4, "with its whole size")
    same(text, "what stands behind it", "and with what stands behind it")
    roles_are_small(node, "after 200 MiB over MLLP")
    comes_back(node, first, index, "200 MiB")
    is_opened_by_age(node, first, "200 MiB")
    same(ack_code(first.send(sender)), ("AA", b"MLLP200"), "sent again it is taken")
    same((files_in(node, "blob"), unfinished(node)), (1, []), "as a repeat: there is one file of it")
    status, text = page(node, f"/entry/{index}")
    ok(status == 200 and "MLLP200" in text and str(first.bytes) in text.replace("\u202f", "").replace("&nbsp;", ""),
       "its page shows its beginning, and its size", status, text[:2000])
    same(ack_code(Document("MLLP0", 0).send(sender)), ("AA", b"MLLP0"), "a small one behind it")

    # ---- cut off ----
    cut = Sender(node.mllp_port)
    cut.socket.sendall(b"\x0b" + first.head)
    for _ in range(20):
        cut.socket.sendall(PIECE)
    os.kill(node.role_pid("commit"), 9)
    ok(node.wait_until(lambda: (node.state()[1] or {}).get("ok"), 30), "commit killed in the middle of one starts again")
    try:
        cut.socket.sendall(PIECE)
        ok(not cut.socket.recv(1000), "its sender is not answered")
    except OSError:
        ok(True, "its sender is not answered")
    cut.close()
    ok(node.wait_until(lambda: not unfinished(node), 10), "and nothing of it stays", unfinished(node))
    same(ack_code(Sender(node.mllp_port).ask(adt("AFTER", 3)))[0], "AA", "the next message is taken")

    # ---- files, through the node ----
    path = os.path.join(node.base, "import.hl7")
    second = Document("FILE200", 200)
    second.write(path, adt("F1", 11) + b"\r\n", adt("F2", 12))
    code, peak, out = measured("import", node.dir, path)
    same((code, out.decode().split(" repeats")[0]), (0, "3 messages, 3 stored, 0"), "a file with 200 MiB in one of its messages")
    is_small(peak, "import through the node")
    code, _, out = measured("import", node.dir, path)
    same(out.decode().split(" repeats")[0], "3 messages, 0 stored, 3", "once more: repeats")
    ok(node.wait_until(lambda: "FILE200" in documents_of(node), 60), "the chart has it too")
    comes_back(node, second, documents_of(node)["FILE200"][0], "200 MiB of a file")
    roles_are_small(node, "after files")

    # ---- a gigabyte ----
    if large:
        gigabyte = Document("MLLP1024", large)
        begun = time.monotonic()
        same(ack_code(gigabyte.send(sender := Sender(node.mllp_port, timeout=600))), ("AA", b"MLLP1024"), "a message of 1 GiB is taken")
        note(f"in {time.monotonic() - begun:.1f} s")
        ok(node.wait_until(lambda: "MLLP1024" in documents_of(node), 120), "the chart has it")
        index, content_bytes, text = documents_of(node)["MLLP1024"]
        same((content_bytes, text), (large * MIB * 3 // 4, "what stands behind it"), "with its whole size")
        roles_are_small(node, "after 1 GiB over MLLP")
        comes_back(node, gigabyte, index, "1 GiB")
        is_opened_by_age(node, gigabyte, "1 GiB")
        status, text = page(node, f"/entry/{index}")
        ok(status == 200 and "MLLP1024" in text, "its page shows its beginning", status, text[:2000])
        gigabyte.write(path)
        code, peak, out = measured("import", node.dir, path)
        same((code, out.decode().split(" repeats")[0]), (0, "1 messages, 0 stored, 1"), "from a file it is a repeat")
        is_small(peak, "import of 1 GiB")
        roles_are_small(node, "after 1 GiB from a file")
    live = documents_of(node)
    digest = node.digest()
    same(node.stop(60), 0, "the node stops")

    # ---- without a node ----
    third = Document("ALONE200", 200)
    third.write(path)
    code, peak, out = measured("import", node.dir, path)
    same((code, out.decode().split(" repeats")[0]), (0, "1 messages, 1 stored, 0"), "import without a node")
    is_small(peak, "import without a node")
    code, peak, out = measured("import", node.dir, path)
    same((code, out.decode().split(" repeats")[0]), (0, "1 messages, 0 stored, 1"), "and once more")
    code, peak, _ = measured("rebuild", node.dir)
    same(code, 0, "a chart is made anew")
    note(f"rebuild: {peak / 1024:.1f} MiB at most")
    made = documents_of(node)
    same({name: made.get(name) for name in live}, live, "and says what the living one said")
    comes_back(node, third, made["ALONE200"][0], "200 MiB, imported alone")

    # ---- as JSON ----
    def look(stream):
        start, size, end = stream.read(400), 400, b""
        while part := stream.read(MIB):
            size += len(part)
            end = (end + part)[-100:]
        return start, size, end

    index = made["ALONE200"][0]
    code, peak, (start, size, end) = measured("cat", node.dir, "--from", index, "--to", index + 1, take=look)
    ok(code == 0 and f'"body_bytes":{third.bytes},"body":"MSH|'.encode() in start and size > third.bytes
       and end.endswith(b'what stands behind it\\r"}\n'), "200 MiB as one line of JSON", start, size, end)
    is_small(peak, "cat as JSON")
    odd = "".join(chr(c) for c in (0x41, 0xE9, 0x20AC, 0x1F600, 0x5C, 0x22, 0x0B)) * 20011
    for name, body in (("letters", ("MSH|^~\\&|A|B|||||ADT^A08|LETTERS|P|2.5\rNTE|1||" + odd).encode()),
                       ("bytes", b"MSH|^~\\&|A|B|||||ADT^A08|BYTES|P|2.5\rNTE|1||" + bytes(i for i in range(256) if i not in (10, 13, 28)) * 300)):
        with open(path, "wb") as file:
            file.write(body)
        same(run("import", node.dir, path)[0], 0, f"import of {name}")
        newest = json.loads(run("verify", node.dir, "--json")[1])["durable"] - 1
        entry = json.loads(run("cat", node.dir, "--from", newest)[1])
        got = entry["body"].encode() if "body" in entry else base64.b64decode(entry["body_base64"])
        ok(got == body and ("body" in entry) == (name == "letters"), f"{len(body)} bytes of {name} as JSON", entry["body_bytes"])

    # ---- all of it ----
    code, peak, out = measured("verify", node.dir, "--json")
    report = json.loads(out)
    ok(code == 0 and report["whole"], "the vault is whole", out)
    is_small(peak, "verify")
    same(files_in(node, "blob"), 5 + bool(large), "as many blobs as documents")
    note(f"digest of the living chart {digest[:16]}")
finally:
    node.close()
done()
