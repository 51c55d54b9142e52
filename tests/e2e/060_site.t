#!/usr/bin/env python3
"""The life of a site: init, serve, lock, status, stop; wrong use is refused with one clear sentence."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

from veilleuse_site import PROGRAM, Node, Sender, ack_code, adt, done, ok, run, same

node = Node()
try:
    code, _, err = run("init", node.dir, "--site", "test")
    same(code, 69, "init over a site is refused")
    same(run("init", node.base + "/x", "--site", "a b")[0], 64, "a site id with a space is refused")
    same(run("serve", node.base)[0], 66, "serve of a directory that is no site")
    code, out, _ = run("status", node.dir, "--json")
    ok(code == 69 and json.loads(out)["running"] is False, "status of a site that does not run")
    code, _, err = run("serve", node.dir, "--web", "0.0.0.0:0", "--mllp", "127.0.0.1:0", timeout=20)
    ok(code == 78 and "loopback" in err, "pages beyond loopback are refused", code, err)
    same(oct(os.stat(node.dir + "/keys").st_mode & 0o777), "0o700", "keys are for the owner alone")
    ok(all(os.stat(f"{node.dir}/keys/{f}").st_mode & 0o077 == 0 for f in os.listdir(node.dir + "/keys")), "and so is each key file")
    node.start()
    code, state = node.state()
    ok(code == 0 and state["ok"] and state["running"], "a node that runs is ok", state)
    same(run("serve", node.dir, timeout=20)[0], 69, "a second node on the same site is refused")
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("S1", 4711))), ("AA", b"S1"), "a message is answered")
    code, out, err = run("chart", node.dir, "census", "--json")
    ok(code == 0 and b"4711" in out, "and its patient is in the census at once", out, err)
    code, out, err = run("chart", node.dir, "patient", "4711", "--json")
    ok(code == 0 and b"DUPONT" in out, "the patient is found by number", out, err)
    same(run("chart", node.dir, "patient", "999999", "--json")[0], 66, "an unknown number is said to be unknown")
    ok(b"GAM/HOP  sends old messages" in run("status", node.dir)[1], "its feed lives, and its messages are old by their own time",
       run("status", node.dir)[1])
    with open(node.dir + "/veilleuse.conf", "a", encoding="utf-8") as file:
        file.write("feed = GAM 0 0\nfeed = A NAME WITH BLANKS 10 20\n")
    ok(b"GAM/HOP  SILENT" in run("status", node.dir)[1], "with numbers of its own it is silent at once", run("status", node.dir)[1])
    ok(b'"silent"' not in urllib.request.urlopen(node.web + "healthz", timeout=10).read(), "the pages keep theirs until SIGHUP")
    node.process.send_signal(signal.SIGHUP)

    def says_silent():
        try:
            return b'"silent"' in urllib.request.urlopen(node.web + "healthz", timeout=10).read()
        except OSError:
            return False  # the role that serves pages is being started anew

    ok(node.wait_until(says_silent), "then they say so too")
    path = os.path.join(node.base, "in.hl7")
    with open(path, "wb") as file:
        file.write(adt("S1", 4711) + adt("S2", 4712))
    code, out, err = run("import", node.dir, path)
    ok(code == 0 and b"2 messages, 1 stored, 1 repeats" in out, "import through the running node knows repeats", out, err)
    code, out, err = run("rebuild", node.dir, "--until", "2000-01-01T00:00:00Z", "--out", node.base + "/past.db")
    ok(code == 0, "a chart of the past is made beside", err)
    code, out, err = run("chart", node.dir, "census", "--json", "--file", node.base + "/past.db")
    ok(code == 0 and b"4711" not in out, "and does not know the patient yet", out, err)
    start = time.monotonic()
    same(node.stop(), 0, "SIGTERM ends it")
    ok(time.monotonic() - start < 10, "soon")
    code, out, err = run("verify", node.dir, "--json")
    report = json.loads(out)
    ok(code == 0 and report["whole"] and report["published"] == report["durable"], "at a clean stop everything is published", out)
    code, out, err = run("import", node.dir, path)
    ok(code == 0 and b"0 stored" in out, "import without a node knows repeats too", out, err)
    for turn in range(4):  # also what came a moment before, while something else was being published
        node.start()
        sender = Sender(node.mllp_port)
        for number in range(5):
            sender.ask(adt(f"T{turn}-{number}", 5000 + number))
        sender.close()
        node.stop()
        report = json.loads(run("verify", node.dir, "--json")[1])
        same(report["published"], report["durable"], "a stop right behind the last message: everything is published")
    code, out, err = run("verify", node.dir + "/vault", "--quick")
    ok(code == 0, "verify --quick of the bare vault", out, err)
    # Damage is found and named.
    copy = node.base + "/copy"
    shutil.copytree(node.dir, copy, ignore=shutil.ignore_patterns("run"))
    bundles = [os.path.join(d, f) for d, _, fs in os.walk(copy + "/vault/tile/entries") for f in fs]
    with open(bundles[0], "r+b") as file:
        file.seek(40)
        byte = file.read(1)
        file.seek(40)
        file.write(bytes([byte[0] ^ 1]))
    code, out, err = run("verify", copy)
    ok(code == 65 and b"entries" in out, "one flipped bit: 65, and its place", code, out, err)
    same(run("nonsense")[0], 64, "an unknown command")
    same(run("verify")[0], 64, "a missing argument")
    same(run("--version")[0], 0, "--version")
    help_text = run("help")[1].decode()
    ok(all(word in help_text for word in ("init", "serve", "send", "simulate", "import", "verify", "cat", "chart", "rebuild", "status")), "help names every command")
finally:
    node.close()
done()
