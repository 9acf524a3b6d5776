"""What embedded engines need of the machine, on a machine that has it not yet."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

import pytest

from tests.live import ROOT

AT_ONCE = 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes system users")
def test_engines_started_at_once_on_a_new_machine_have_one_user() -> None:
    name = f"fh{secrets.token_hex(6)}"
    code = f"from storage.engines import make_user; print(make_user({name!r}))"
    command = [sys.executable, "-c", code]
    try:
        racing = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) for _ in range(AT_ONCE)]
        numbers = [one.communicate(timeout=60)[0].strip() for one in racing]
    finally:
        subprocess.run(["userdel", name], check=False, capture_output=True)
    assert len(set(numbers)) == 1
    assert numbers[0].isdigit()
