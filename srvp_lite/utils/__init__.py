"""What every room may use and no room owns: six files, each with one job.

`errors`: what a user can set right. `device`: where tensors live and in what precision. `seeds`: one seed for each
thing that is drawn. `files`: whole or not there. `download`: fetched, checked, unpacked. `provenance`: how a result was
made.
"""
