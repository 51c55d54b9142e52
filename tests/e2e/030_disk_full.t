#!/usr/bin/env python3
"""A full disk: nothing is acknowledged that is not durable, the node says so, and goes on when space returns."""
import os
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from veilleuse_site import Node, Sender, ack_code, adt, done, note, ok, run, same, skip_all

if os.getuid() != 0:
    skip_all("mounting a small disk needs root")
mount = tempfile.mkdtemp(prefix="veilleuse-disk.")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", mount], capture_output=True).returncode:
    os.rmdir(mount)
    skip_all("no small disk can be mounted here")
node = None
try:
    node = Node(parent=mount, configure={"reserve_bytes": str(8 << 20)}).start()
    filler = os.path.join(mount, "filler")
    answered = []
    sender = Sender(node.mllp_port, 4)

    def ask(n):
        message = adt(f"D{n}", n, text=os.urandom(12000).hex())
        sender.put(message)
        return message

    message = ask(0)
    same(ack_code(sender.answer())[0], "AA", "with space: AA")
    answered.append(message)
    # Something else takes nearly all of the disk.
    free = os.statvfs(mount).f_bavail * os.statvfs(mount).f_frsize
    with open(filler, "wb") as file:
        file.write(b"\0" * max(0, free - (9 << 20)))
    refused = None
    for n in range(1, 6000):
        message = ask(n)
        try:
            code = ack_code(sender.answer())[0]
        except OSError:
            refused = message
            break
        if code != "AA":
            refused = message
            break
        answered.append(message)
    ok(refused is not None, f"the disk fills after {len(answered)} messages, and the next is not answered AA")
    note(f"free: {os.statvfs(mount).f_bavail * os.statvfs(mount).f_frsize >> 20} MiB")
    ok(node.wait_until(lambda: ((node.state()[1] or {}).get("vault") or {}).get("full"), 10), "status says that the disk is full",
       node.state()[1])
    ok(node.state()[0] != 0, "and exits nonzero")
    try:
        urllib.request.urlopen(urllib.request.Request(node.web.rstrip("/") + "/fhir/Binary", data=b'{"resourceType":"Binary","data":"' + b"A" * 200000 + b'"}',
                               headers={"Content-Type": "application/fhir+json"}), timeout=30)
        ok(False, "FHIR is not taken")
    except urllib.error.HTTPError as error:
        ok(error.code == 503 and b"OperationOutcome" in error.read(), "FHIR is answered 503 with an OperationOutcome", error.code)
    page = urllib.request.urlopen(node.web, timeout=10).read().decode()
    ok("plein" in page or "full" in page, "the pages say so", page[:500])
    stored = node.messages()
    ok(all(m in stored for m in answered), "everything answered AA is there")
    os.unlink(filler)
    ok(node.wait_until(lambda: (node.state()[1] or {}).get("ok"), 30), "space returns: the node is well again", node.state()[1])
    sender.close()
    sender = Sender(node.mllp_port, 20)
    sender.put(refused)
    same(ack_code(sender.answer())[0], "AA", "the message that waited is taken")
    answered.append(refused)
    stored = node.messages()
    ok(all(stored.count(m) == 1 for m in answered), "nothing is lost, nothing twice")
    code, out, err = run("verify", node.dir)
    ok(code == 0, "the vault verifies", out, err)
    same(node.stop(), 0, "clean stop")
    same(run("verify", node.dir)[0], 0, "and verifies")
finally:
    if node:
        node.close()
    subprocess.run(["umount", "-l", mount], check=False)
    os.rmdir(mount)
done()
