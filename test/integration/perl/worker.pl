# A worker that reverses. ARGV: host:port.
use strict;
use warnings;
use Gearman::Worker;

my $worker = Gearman::Worker->new(job_servers => [$ARGV[0]]);
$worker->register_function(reverse => sub { my ($job) = @_; scalar reverse $job->arg });
$worker->work while 1;
