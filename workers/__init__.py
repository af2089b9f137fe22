"""Small repeatable jobs: one module each, with its ``Job`` under the name JOB. Putting a module here adds the job: its
command, its line in the schedule, its place in `bo-engine jobs`. Nothing heavy is imported before a job works."""
