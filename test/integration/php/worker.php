<?php
// The worker of PHP's manual: reverses a text, a letter a step. Says the handle of each job, then takes a step for each line that
// comes in, so that who writes the lines has the time. argv: host:port.
$worker = new GearmanWorker();
$worker->addServers($argv[1]);
$worker->addFunction('reverse', function (GearmanJob $job) {
    echo $job->handle(), "\n";
    $workload = $job->workload();
    $size = strlen($workload);
    for ($step = 1; $step <= $size; $step++) {
        fgets(STDIN);
        $job->sendStatus($step, $size);
    }
    return strrev($workload);
});
while ($worker->work());
