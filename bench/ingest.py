#!/usr/bin/env python3
"""ingest - messages acknowledged after fsync, the sender on the same machine; the chart's lag is told beside.

goal: 50,000/s with 256 stop-and-wait connections, p99 under 20 ms; one connection p50 under 1 ms, p99 under 5 ms
"""
import os

from benchlib import Node, header, hospital, line, memory_bytes, run, wait_for_chart

header("ingest")
path = hospital(1000, int(os.environ.get("HOURS", "36")))
small = hospital(100, 6, seed=2)
node = Node().start()
try:
    code, report, err = node.send(small)
    line("ingest_one_connection", report["per_second"], "messages/s")
    line("ingest_one_connection_p50", report["p50_ms"], "ms")
    line("ingest_one_connection_p99", report["p99_ms"], "ms")
    code, report, err = node.send(path, "--connections", 256)
    line("ingest_256_connections", report["per_second"], "messages/s")
    line("ingest_256_connections_p50", report["p50_ms"], "ms")
    line("ingest_256_connections_p99", report["p99_ms"], "ms")
    print(f"# {report['sent']} sent, {report['aa']} AA; message bytes {os.path.getsize(path) / report['sent']:.0f}")
    _, state = node.state()
    line("ingest_chart_lag_at_end", state["chart"]["lag"], "entries")
    line("ingest_chart_caught_up_after", wait_for_chart(node), "s")
    total, parts = memory_bytes(node)
    line("memory_all_roles", total / 2**20, "MiB")
    print("# " + ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in parts.items()))
finally:
    node.close()
