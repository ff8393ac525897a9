"""The web app over a home: pages over the typed views of `goldlake.workflows`, and a queue of jobs.

A page reads and computes nothing that a command does not read and compute, too. No page starts a
JVM or TensorFlow; what needs one is a job of the queue.
"""
