# Submits a job in the background and says its handle, then, for each line that comes in, how it is. ARGV: host:port, function, workload
# as hex, unique ID.
use strict;
use warnings;
use Gearman::Client;

$| = 1;
my ($server, $function, $workload, $unique) = @ARGV;
my $client = Gearman::Client->new(job_servers => [$server]);
my $handle = $client->dispatch_background($function => pack('H*', $workload), { uniq => $unique });
print "$handle\n";
while (<STDIN>) {
    my $status = $client->get_status($handle);
    my ($numerator, $denominator) = @{ $status->progress // [0, 0] };
    print $status->known ? 'known' : 'unknown', ', ', $status->running ? 'running' : 'waiting', ", $numerator/$denominator\n";
}
