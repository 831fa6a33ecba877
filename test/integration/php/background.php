<?php
// Submits a job in the background and says its handle, then, for each line that comes in, how it is. argv: host:port, function,
// workload as hex, unique ID.
[$host, $port] = explode(':', $argv[1]);
$client = new GearmanClient();
$client->setTimeout(30000);
$client->addServer($host, (int) $port, false);
$handle = $client->doBackground($argv[2], hex2bin($argv[3]), $argv[4]);
echo $handle, "\n";
while (fgets(STDIN) !== false) {
    [$known, $running, $numerator, $denominator] = $client->jobStatus($handle);
    echo $known ? 'known' : 'unknown', ', ', $running ? 'running' : 'waiting', ", $numerator/$denominator\n";
}
