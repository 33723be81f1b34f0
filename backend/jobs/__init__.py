"""Long work that a project's owner does in the background, named here: `kind: "module:function"`.

A job is called with a `JobTicket` and its own keyword arguments, and gives one line saying what it did.
"""

JOBS: dict[str, str] = {
    "curate": "backend.jobs.plans:work_through",
    "evaluate": "backend.jobs.plans:work_through",
    "export": "backend.workspace.exporting:run_export",
    "generate": "backend.jobs.commands:run_command",
    "latents": "backend.jobs.commands:run_command",
    "train": "backend.jobs.commands:run_command",
}

LANES: dict[str, str] = {
    "curate": "crew",
    "evaluate": "crew",
    "export": "export",
    "generate": "command",
    "latents": "command",
    "train": "command",
}
"""Of the kinds that share a lane, one runs at a time: the owner's workers, its writing of files, commands as its children."""

WHOLE = frozenset({"export"})
"""Kinds that nobody can stop: half an export is none."""

CALLS: dict[str, str] = {
    "calibrate_metrics": "metrics.calibrating:calibrate_metrics",
    "case_stats": "metrics.case_sets:stats",
    "check_cases": "metrics.case_sets:check",
    "command_line": "backend.cli.forms:command_line",
    "command_fields": "backend.cli.forms:fields_of",
    "evaluation_plan": "metrics.evaluation:plan_of",
    "find_generations": "metrics.benchmark:find_generations",
    "forecast": "metrics.evaluation:forecast_of",
    "generate": "training.generate:run_generate",
    "held_metrics": "metrics.score_files:held_metrics",
    "known_metrics": "metrics.evaluation:known",
    "leaderboard": "metrics.leaderboard:leaderboard",
    "measured_metrics": "metrics.evaluation:metric_ids",
    "name_benchmark": "metrics.benchmark:name_benchmark",
    "preset": "metrics.presets:preset",
    "purse": "metrics.evaluation:purse_of",
    "read_calibration": "metrics.calibration_file:read_calibration",
    "encode_latents": "training.job:run_latents",
    "read_cases": "metrics.benchmark:read_cases",
    "read_scores": "metrics.score_files:read_scores",
    "read_systems": "metrics.systems:read_systems",
    "real_videos": "metrics.distribution_sets:real_videos",
    "serve_page": "backend.service.study_page:page_on_this_machine",
    "set_distances": "metrics.distribution_sets:set_distances",
    "set_metrics": "metrics.distribution_sets:set_metrics",
    "total": "metrics.total:totals_of_file",
    "train": "training.job:run_training",
    "training_settings": "training.describing:training_settings",
    "unapproved_cases": "metrics.case_sets:unapproved",
    "write_calibration": "metrics.calibration_file:write_calibration",
    "write_scores": "metrics.score_files:write_scores",
}
"""What the workspace asks of the packages above it, resolved when it is needed."""
