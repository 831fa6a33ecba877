<?php
// Does a job and says how it ended, and with what, as hex. argv: host:port, function, workload as hex.
[$host, $port] = explode(':', $argv[1]);
$client = new GearmanClient();
$client->setTimeout(30000);
$client->addServer($host, (int) $port, false);
$result = $client->doNormal($argv[2], hex2bin($argv[3]));
$ends = [GEARMAN_SUCCESS => 'complete', GEARMAN_WORK_FAIL => 'fail'];
echo $ends[$client->returnCode()] ?? $client->error(), ' ', bin2hex((string) $result), "\n";
