"""What other packages say on being imported and nobody here needs to hear. Imported first of all.

On processors with AVX512-BF16, bitsandbytes, which peft imports wherever it is installed, asks on
stderr for a package of faster kernels.
"""

import logging

logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
