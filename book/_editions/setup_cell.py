# Set-up: installs minirm where it is missing, as on Colab, and leaves torch as it is.
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# Threads that wait for each other spin only briefly: a whole class may share this machine's cores.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

if not all(importlib.util.find_spec(name) for name in NEEDED):
    beside = [f"{wheel.resolve()}[notebook]" for wheel in sorted(Path().glob("minirm-*.whl"))]
    source = os.environ.get("MINIRM_SOURCE") or (beside or [SOURCE])[-1]
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder, "held.txt")  # the torch that is here, whichever it is
        if importlib.util.find_spec("torch"):
            held.write_text(f"torch=={importlib.metadata.version('torch')}\n")
        else:
            held.touch()
        command = ["pip", "install", "--quiet", "--constraint", str(held), source]
        subprocess.run([sys.executable, "-m", *command], check=True)
    importlib.invalidate_caches()

if "google.colab" in sys.modules:  # live figures need its leave
    from google.colab import output

    output.enable_custom_widget_manager()
