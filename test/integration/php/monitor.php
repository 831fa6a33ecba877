<?php
// The monitor of PHP's manual. argv: host:port, milliseconds between two questions.
[$host, $port] = explode(':', $argv[1]);
$client = new GearmanClient();
$client->addServer($host, (int) $port);
$client->setTimeout(5000);
$handle = $client->doBackground('reverse', 'this is a test');
do {
    usleep($argv[2] * 1000);
    [$known, $running, $numerator, $denominator] = $client->jobStatus($handle);
    $running = $running ? 'true' : 'false';
    echo "Running: $running, numerator: $numerator, denominator: $denominator\n";
} while ($known);
echo "done!\n";
