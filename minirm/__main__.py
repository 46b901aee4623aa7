"""``python -m minirm``."""

import sys

from minirm.cli import main

sys.exit(main())
