#!/usr/bin/env python3
"""Idle and slow connections disturb nobody; a message of 64 MiB is taken, a larger one refused cleanly."""
import resource
import socket
import threading
import time

from veilleuse_site import Node, Sender, ack_code, adt, done, note, ok, run, same

resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
node = Node().start()
try:
    idle = [socket.create_connection(("127.0.0.1", node.mllp_port)) for _ in range(1000)]
    slow = socket.create_connection(("127.0.0.1", node.mllp_port))
    slow_message = b"\x0b" + adt("SLOW", 7) + b"\x1c\r"
    slow.sendall(slow_message[:40])
    sender = Sender(node.mllp_port)
    good = 0
    for n in range(300):
        if n % 50 == 0:
            slow.sendall(slow_message[40 + n // 50:41 + n // 50])
        good += ack_code(sender.ask(adt(f"I{n}", n))) == ("AA", f"I{n}".encode())
    same(good, 300, "300 messages pass beside 1,000 idle connections and a slow one")
    slow.sendall(slow_message[46:])
    ok(b"MSA|AA|SLOW" in slow.recv(4096), "the slow one is answered when it has ended")
    ok(all(s.fileno() >= 0 for s in idle), "the idle ones stand")
    idle[500].sendall(b"\x0b" + adt("IDLE", 9) + b"\x1c\r")
    ok(b"MSA|AA|IDLE" in idle[500].recv(4096), "and one of them can still speak")
    for s in idle:
        s.close()

    # Pipelined: several messages without waiting; answers come in order.
    sender.socket.sendall(b"".join(b"\x0b" + adt(f"P{n}", n) + b"\x1c\r" for n in range(50)))
    same([ack_code(sender.answer())[1].decode() for _ in range(50)], [f"P{n}" for n in range(50)], "50 pipelined messages are answered in order")

    def large(control_id, size):
        head = adt(control_id, 5)
        return head + b"OBX|1|TX|X^long||" + b"A" * (size - len(head) - 18) + b"\r"

    limit = 64 << 20
    big = large("BIG", limit)
    same(len(big), limit, "a message of exactly 64 MiB")
    sender = Sender(node.mllp_port, 120)
    same(ack_code(sender.ask(big)), ("AA", b"BIG"), "is taken")
    code, text = ack_code(sender.ask(large("HUGE", limit + 4096)))
    same((code, text), ("AR", b"HUGE"), "a larger one is refused")
    same(ack_code(sender.ask(adt("AFTER", 3))), ("AA", b"AFTER"), "on the same connection the next one passes")
    ok(big in node.messages(), "the large message is found again byte for byte")
    code, out, err = run("verify", node.dir)
    ok(code == 0, "the vault verifies", out, err)

    # Bytes that make no sense are stored, and answered.
    sender = Sender(node.mllp_port, 20)
    same(ack_code(sender.ask(b"this is no message"))[0], "AR", "a frame without MSH is answered AR")
    same(ack_code(sender.ask(adt("OK2", 3)))[0], "AA", "and the connection goes on")
    ok(b"this is no message" in node.messages(), "it is stored all the same")
    ok(node.wait_until(lambda: (node.state()[1] or {}).get("ok"), 30), "the node is well", node.state()[1])
    same(node.stop(), 0, "clean stop")
finally:
    node.close()
done()
