"""What holds for every test: a busy machine, or a shell that ignores Ctrl-C, makes none of them fail."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("drave", deadline=None)
settings.load_profile("drave")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as under nohup; processes that tests start would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
