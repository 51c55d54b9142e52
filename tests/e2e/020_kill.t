#!/usr/bin/env python3
"""kill -9 of any role, or of all, at random moments under load: whatever was answered AA is in the vault, once."""
import os
import random
import signal
import subprocess
import threading
import time

from veilleuse_site import FAST, Node, Sender, ack_code, adt, done, note, ok, run, same

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
KILLS = int(os.environ.get("KILLS", "21" if FAST else "54"))
ROLES = ["commit", "publish", "open", "feeds", "chart", "web", "all"]
note(f"seed {SEED}, {KILLS} kills")
chance = random.Random(SEED)
node = Node().start()
answered, lock = [], threading.Lock()
stopping = threading.Event()


def sender_life(number):
    """Sends without end, each message until it is answered AA; connections may break at any time."""
    sequence, sender = 0, None
    while not stopping.is_set():
        control_id = f"K{number}-{sequence}"
        message = adt(control_id, number * 1000 + sequence % 200, text=f" {control_id}",
                      stamp=f"20260105{8 + number % 10:02d}{sequence // 60 % 60:02d}{sequence % 60:02d}.{number:03d}+0100")
        try:
            if sender is None:
                sender = Sender(node.mllp_port, 10)
            if ack_code(sender.ask(message)) == ("AA", control_id.encode()):
                with lock:
                    answered.append(message)
                sequence += 1
        except OSError:
            if sender:
                sender.close()
            sender = None
            time.sleep(0.02)
    if sender:
        sender.close()


threads = [threading.Thread(target=sender_life, args=(n,), daemon=True) for n in range(12)]
try:
    for thread in threads:
        thread.start()
    for kill in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.6))
        role = ROLES[kill % len(ROLES)] if kill < 2 * len(ROLES) else chance.choice(ROLES)
        if role == "all":
            node.kill_all()
            node.start()
        else:
            pid = node.role_pid(role)
            if pid > 0:
                os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    stopping.set()
    for thread in threads:
        thread.join(30)
    ok(node.wait_until(lambda: (node.state()[1] or {}).get("ok")), "the node is well again", node.state()[1])
    ok(len(answered) > 100, f"{len(answered)} messages were answered AA")
    stored = {}
    for message in node.messages():
        stored[message] = stored.get(message, 0) + 1
    missing = [m for m in answered if m not in stored]
    ok(not missing, "every message answered AA is in the vault", f"seed {SEED}: {len(missing)} missing", missing[:1])
    twice = [m for m, n in stored.items() if n > 1]
    ok(not twice, "and once", f"seed {SEED}: {len(twice)} twice", twice[:1])
    code, out, err = run("verify", node.dir)
    ok(code == 0, "the vault verifies", out, err)
    digest = node.digest()
    code, out, err = run("rebuild", node.dir)
    ok(code == 0, "rebuild", err)
    same(node.digest(), digest, "the chart equals its rebuild")
    same(node.stop(), 0, "clean stop")
finally:
    stopping.set()
    node.close()
done()
