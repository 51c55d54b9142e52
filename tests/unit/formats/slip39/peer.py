"""peer.py - the reference implementation of SLIP-0039, asked line by line; for peer_test.

split THRESHOLD COUNT EXPONENT EXTENDABLE HEX   answers the shares, "|" between
combine SHARE|SHARE...                          answers the secret in hex, or "refused"
"""
import sys

import shamir_mnemonic

print(shamir_mnemonic.__name__, flush=True)
for line in sys.stdin:
    verb, _, rest = line.rstrip("\n").partition(" ")
    if verb == "split":
        threshold, count, exponent, extendable, secret = rest.split()
        options = {"iteration_exponent": int(exponent)}
        if "extendable" in shamir_mnemonic.generate_mnemonics.__code__.co_varnames:
            options["extendable"] = extendable == "1"
        groups = [(int(threshold), int(count))]
        print("|".join(shamir_mnemonic.generate_mnemonics(1, groups, bytes.fromhex(secret), b"", **options)[0]))
    else:
        try:
            print(shamir_mnemonic.combine_mnemonics(rest.split("|"), b"").hex())
        except shamir_mnemonic.MnemonicError:
            print("refused")
    sys.stdout.flush()
