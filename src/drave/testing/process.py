"""`python -m drave.testing.process`: the broker that `Broker(process=True)` starts."""

import sys

from drave.testing.broker import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.stdout))
