"""``python -m minirm``, also below a launcher: ``torchrun --nproc_per_node 8 -m minirm ...``."""

import sys

from minirm.cli import main

if __name__ == "__main__":
    sys.exit(main())
