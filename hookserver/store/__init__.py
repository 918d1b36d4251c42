"""store: files. FORMAT.md beside this file is its specification."""
