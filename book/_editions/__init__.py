"""From the chapters' MyST source: notebooks, and the editions for students and for teachers."""
