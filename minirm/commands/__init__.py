"""The commands of ``minirm``, one file each: its arguments, and a short function that runs it."""
