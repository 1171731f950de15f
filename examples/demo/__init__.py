"""The demo: five steps on real data."""
