"""python -m vagus_local.emulator: run the local AWS until SIGTERM or SIGINT.

Environment: GATEWAY_PORT, BIND_HOST (127.0.0.0/8 only), STATE_DIR, TMPDIR, S3_DATA_DIR, AWS_DEFAULT_REGION,
LAMBDA_PYTHON_3_13 (the functions' interpreter), SFN_WAIT_SCALE (Step Functions' seconds), VAGUS_HOOK_SCALE (lifecycle
hooks' seconds), and for instances VAGUS_INSTANCES_DIR, VAGUS_BOOT, VAGUS_NODE_BIN, VAGUS_NODE_NETWORK (hypervisor.py).
"""

import ipaddress
import os
import sys

_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def problem(environment: dict[str, str]) -> str | None:
    """Why the emulator must not start with this environment, or None."""
    host = environment.get("BIND_HOST")
    if not host:
        return "BIND_HOST is not set: the emulator would listen on every interface. Set it to an address in 127.0.0.0/8"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"BIND_HOST={host} is not an IP address. Set it to one in 127.0.0.0/8"
    if address.version != _LOOPBACK.version or address not in _LOOPBACK:
        return f"BIND_HOST={host} can be reached from outside. Set it to an address in 127.0.0.0/8"
    if not environment.get("GATEWAY_PORT", "").isdigit():
        return "GATEWAY_PORT is not set to a port number"
    return None


def main() -> int:
    if said := problem(dict(os.environ)):
        print(f"emulator: {said}", file=sys.stderr)
        return 2
    os.environ.setdefault("IOT_MTLS_ENABLED", "0")  # a listener of its own that nothing here uses
    os.environ.pop("PYTHONPATH", None)  # ours is read already; functions and instances must not see it
    # imported late: ministack reads its environment, and opens what it needs, at import
    from vagus_local.emulator import install, seams

    try:
        undertaker = install.install()
    except (seams.SeamError, ValueError) as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 3
    install.serve(undertaker)
    return 0


if __name__ == "__main__":
    sys.exit(main())
