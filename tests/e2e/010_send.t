#!/usr/bin/env python3
"""Real messages go in, are answered, are found again byte for byte, and are not stored twice."""
import glob
import os
import re

from veilleuse_site import DATA, Node, Sender, ack_code, adt, done, note, ok, run, same, skip_all

if not os.path.isdir(os.path.join(DATA, "hl7v2")):
    skip_all("the shared sample messages are not here")

node = Node().start()
try:
    path = os.path.join(DATA, "hl7v2/simhospital/messages.out")
    with open(path, "rb") as file:
        wanted = [m.strip(b"\n") for m in re.split(rb"\n\n+", file.read()) if m.strip()]
    code, report, err = node.send(path)
    same(code, 0, "every message of the hospital simulator is accepted")
    same((report or {}).get("sent"), 1013, "1,013 are sent")
    same((report or {}).get("aa"), 1013, "1,013 are answered AA")
    code, out, err = run("verify", node.dir)
    ok(code == 0, "the vault verifies", out, err)
    got = node.messages()
    same(len(got), 1013, "1,013 messages are in the vault")
    ok([m.rstrip(b"\r\n") for m in got] == [m.rstrip(b"\r\n") for m in wanted], "byte for byte, in order")
    code, raw, err = run("cat", node.dir, "--raw")
    ok(raw == b"".join(got), "cat --raw gives the bodies as they were")
    before = len(node.entries())
    code, report, err = node.send(path, "--connections", 8)
    same((report or {}).get("aa"), 1013, "sent again: 1,013 AA")
    same(len(node.entries()), before, "and nothing more is stored")

    # Every other folder, by a sender of our own.
    count = 0
    asked = []
    for name in sorted(glob.glob(os.path.join(DATA, "hl7v2/*/**"), recursive=True)):
        if not os.path.isfile(name) or "simhospital" in name or name.endswith((".json", ".md")):
            continue
        with open(name, "rb") as file:
            body = file.read()
        if not body or b"\x1c\r" in body or b"\x0b" in body:
            continue
        # A connection each: in enhanced mode one message has two answers.
        sender = Sender(node.mllp_port, 5)
        try:
            code_text, _ = ack_code(sender.ask(body))
        except TimeoutError:
            code_text = "none"
        sender.close()
        asked.append((name, body, code_text))
        count += 1
    ok(count > 100, f"{count} files sent whole, one a frame")
    bad = [name for name, _, code_text in asked if code_text not in ("AA", "AR", "CA", "CR")]
    ok(not bad, "each is answered", bad)
    stored = set(node.messages())
    lost = [name for name, body, _ in asked if body not in stored]
    ok(not lost, "each is found again byte for byte", lost)
    refused = [name for name, body, code_text in asked if code_text in ("AR", "CR") and body.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"MSH|")]
    ok(not refused, "only bytes without MSH are answered AR", refused)
    code, out, err = run("chart", node.dir, "aside", "--json")
    ok(code == 0, "what was not understood is listed", err)
    code, out, err = run("chart", node.dir, "census", "--json")
    ok(code == 0 and len(out) > 1000, "the census answers", err)
    digest = node.digest()
    code, out, err = run("rebuild", node.dir)
    ok(code == 0, "the chart is rebuilt beside the living one", err)
    same(node.digest(), digest, "and is the same")
    same(node.stop(), 0, "the node stops cleanly")
    code, out, err = run("verify", node.dir)
    ok(code == 0, "the vault still verifies", out, err)
    same(node.digest(), digest, "the chart answers without a node")
finally:
    node.close()
done()
