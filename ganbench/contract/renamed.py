"""Names that stored files and other people's code may still use, and what they are now. Read, never written."""

from __future__ import annotations

EVIDENCE = {
    "circling": "path_inefficiency",
    "copied": "copy_ratio",
    "d_ahead": "d_log_margin",
    "freed": "gain_with_smooth_d",
    "held": "lead_times_deficit",
    "passing": "missed_by_d",
    "restless": "oscillation_index",
    "speed": "log_motion",
    "uncovered": "coverage_deficit",
    "unseen": "critic_gap",
}
