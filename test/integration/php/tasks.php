<?php
// Does a job and says all that it is told of it, a line each, bytes as hex. argv: host:port, function, workload as hex.
[$host, $port] = explode(':', $argv[1]);
$client = new GearmanClient();
$client->setTimeout(30000);
$client->addServer($host, (int) $port, false);
$say = fn (string $what) => function (GearmanTask $task) use ($what) {
    echo $what, ' ', bin2hex((string) $task->data()), "\n";
};
$client->setDataCallback($say('data'));
$client->setWarningCallback($say('warning'));
$client->setCompleteCallback($say('complete'));
$client->setExceptionCallback($say('exception'));
$client->setFailCallback($say('fail'));
$client->setStatusCallback(function (GearmanTask $task) {
    echo 'status ', $task->taskNumerator(), '/', $task->taskDenominator(), "\n";
});
$client->addTask($argv[2], hex2bin($argv[3]));
$client->runTasks();
