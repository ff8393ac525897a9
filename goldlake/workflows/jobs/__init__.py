"""The queue of a home: jobs that people ask for in the web app, done one after the other.

    jobs/ID.json            the job, a `goldlake_core.documents.jobs.Job`
    jobs/ID.events.jsonl    its progress
    jobs/ID.log             what its process printed
    jobs/ID.lock            held by its process
    jobs/queue.lock         held for an instant by whoever changes a job
    jobs/LANE.lock          held by the process that works through a lane

The queue belongs to the home, not to a web app: a job goes on when the app ends, two apps over one
home share it, and what a machine that went down had begun is begun again, once.
"""
