<?php
// The worker of PHP's manual: reverses a text, one letter a step. argv: host:port, milliseconds a step.
$worker = new GearmanWorker();
$worker->addServers($argv[1]);
$worker->addFunction('reverse', function (GearmanJob $job) use ($argv) {
    $workload = $job->workload();
    $size = strlen($workload);
    for ($step = 1; $step <= $size; $step++) {
        usleep($argv[2] * ($step === 1 ? 500 : 1000));
        $job->sendStatus($step, $size);
    }
    return strrev($workload);
});
while ($worker->work());
