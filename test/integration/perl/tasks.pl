# Does a job and says all that it is told of it, a line each, bytes as hex. ARGV: host:port, function, workload as hex.
use strict;
use warnings;
use Gearman::Client;

my ($server, $function, $workload) = @ARGV;
my $client = Gearman::Client->new(job_servers => [$server], exceptions => 1);
my $tasks = $client->new_task_set;
my $hex = sub { unpack 'H*', $_[0] };
$tasks->add_task(
    $function => pack('H*', $workload),
    {
        on_data      => sub { print 'data ', $hex->(${ $_[0] }), "\n" },
        on_warning   => sub { print 'warning ', $hex->(${ $_[0] }), "\n" },
        on_status    => sub { print "status $_[0]/$_[1]\n" },
        on_complete  => sub { print 'complete ', $hex->(${ $_[0] }), "\n" },
        on_exception => sub { print 'exception ', $hex->($_[0]), "\n" },
        on_fail      => sub { print "fail \n" },
    }
);
$tasks->wait(timeout => 30);
