"""What holds for every test: a busy machine, luck, or a shell that ignores Ctrl-C, makes none of them fail.

Property tests draw the same examples every time; EXPLORE=1 lets them draw new ones (make explore).
"""

from __future__ import annotations

import os
import signal

from hypothesis import settings

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("explore" if os.environ.get("EXPLORE") else "same")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as under nohup; processes that tests start would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
