<?php
// A worker that says what it gets, a line a job: unique ID and workload as hex. argv: host:port, function.
$worker = new GearmanWorker();
$worker->addServers($argv[1]);
$worker->addFunction($argv[2], function (GearmanJob $job) {
    echo $job->unique(), ' ', bin2hex((string) $job->workload()), "\n";
});
while ($worker->work());
