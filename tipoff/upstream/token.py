"""Guest tokens of the 2025 API: from a setting or a command; never logged, shown or stored."""

from __future__ import annotations

import shlex
import subprocess

from pydantic import SecretStr

from tipoff.errors import InputError, TerminalUpstreamError

TIMEOUT = 60.0
"""seconds a token command may take"""


class TokenProvider:
    """Gives a token; `refresh` asks the command for a new one. Its repr shows nothing of it."""

    def __init__(self, token: SecretStr | None, command: str | None) -> None:
        if token is None and not command:
            raise InputError(
                "the 2025 API needs a guest token: set TIPOFF_H2H_2025_TOKEN, or TIPOFF_H2H_2025_TOKEN_COMMAND to a "
                "command that prints one"
            )
        self._token, self._command = token, command

    def __repr__(self) -> str:
        return "TokenProvider(...)"

    def current(self) -> str:
        """The token in use, asked for on first use where a command gives it."""
        if self._token is None:
            return self.refresh()
        return self._token.get_secret_value()

    def refresh(self) -> str:
        """A new token; raises TerminalUpstreamError where none can be had."""
        if not self._command:
            raise TerminalUpstreamError("the guest token was refused and no TIPOFF_H2H_2025_TOKEN_COMMAND is set")
        try:
            done = subprocess.run(
                shlex.split(self._command), check=False, capture_output=True, text=True, timeout=TIMEOUT,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise TerminalUpstreamError(f"the token command failed: {type(error).__name__}") from None
        token = done.stdout.strip()
        if done.returncode != 0 or not token or not token.isascii() or any(c.isspace() for c in token):
            raise TerminalUpstreamError(f"the token command gave no token (exit code {done.returncode})")
        self._token = SecretStr(token)
        return token
