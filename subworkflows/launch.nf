// What frames a run: the checks before anything starts, and what is said of tasks that failed.

include { isAddress ; parameterProblems } from './parameters'
include { annotationProblems ; readSheet ; sampleColumns ; sampleProblems } from './sheets'
include { transferProblems } from './transfers'

// Stops the run with every problem of its parameters and sheets, or where another run is writing to the same folder.
def checkLaunch(given) {
    def trace = file("${given.outdir}/pipeline_info/trace.tsv")
    def running = runningTrace(trace)
    workflow.onComplete {
        if (running.exists()) {
            running.moveTo(trace)
        }
    }
    def problems = parameterProblems(given)
    def cellTypes = []
    if (given.input && (isAddress(given.input) || file(given.input, glob: false).isFile())) {
        def sheet = file(given.input, glob: false)
        problems += sampleProblems(sheet, given)
        cellTypes = readSheet(sheet, sampleColumns()[0], sampleColumns()[1]).rows*.cell_type.unique()
    }
    if (given.annotations && (isAddress(given.annotations) || file(given.annotations, glob: false).isFile())) {
        problems += annotationProblems(file(given.annotations, glob: false), cellTypes)
    }
    def sheets = [given.transfer, given.input]
    if (sheets.every { name -> name && (isAddress(name) || file(name, glob: false).isFile()) }) {
        problems += transferProblems(file(given.transfer, glob: false), file(given.input, glob: false), given)
    }
    if (problems) {
        running.delete()
        error("${problems.size()} problem${problems.size() > 1 ? 's' : ''}; nothing was started\n  " + problems.join('\n  ') + '\n(--help lists the parameters)')
    }
    if (!isAddress(given.outdir)) {
        lockFolder(given.outdir, running)
    }
}

// While a run lasts its trace has the number of the process in its name (conf/publish.config).
def runningTrace(trace) {
    trace.resolveSibling("trace.${ProcessHandle.current().pid()}.tsv")
}

// Two runs at once would overwrite each other's report. The lock ends with this process, however that ends; where the file
// system has no locks there is none.
def lockFolder(outdir, trace) {
    def lock = null
    try {
        lock = new RandomAccessFile("${trace.parent}/.lock", 'rw').channel.tryLock()
    }
    catch (IOException problem) {
        log.debug("${trace.parent}: cannot be locked: ${problem.message}")
        return
    }
    if (lock == null) {
        trace.delete()
        error("--outdir ${outdir}: another run is writing there; wait for its end, or give this one another --outdir")
    }
    trace.parent.eachFileMatch(~/trace\.[0-9]+\.tsv/) { left -> left == trace || left.delete() }     // of runs that were killed
    workflow.onComplete { lock.release() }
}

// A digest of all code. It goes into every task's key (meta.code), because -resume sees changes of a task's inputs and script,
// but not of the package that the script calls.
def codeDigest() {
    def digest = java.security.MessageDigest.getInstance('MD5')
    files("${projectDir}/bin/**.{py,html,css,js}").sort().each { source -> digest.update(source.bytes) }
    digest.digest().encodeHex().toString()
}

// {sample or process: what it said last} of the tasks that failed for good, read from the trace, which a task enters just
// after its results have been passed on: so wait a moment.
def failures(trace) {
    sleep(1000)
    def written = [runningTrace(trace), trace].find { path -> path.exists() }
    def lines = written ? written.readLines()*.tokenize('\t') : []
    def tasks = lines.drop(1).collect { fields -> [lines[0], fields].transpose().collectEntries() }
    def done = tasks.findAll { task -> task.status in ['COMPLETED', 'CACHED'] }*.name
    def last = tasks.findAll { task -> task.status == 'FAILED' && !(task.name in done) }.collectEntries { task -> [task.name, task] }
    last.values().groupBy { task -> task.tag == '-' ? task.name : task.tag }
        .collectEntries { name, failed -> [name, failed.collect { task -> lastWords(task) }.join('; ')] }
}

def lastWords(task) {
    if (!file("${task.workdir}/.command.begin").exists()) {
        return "${task.name.tokenize(' ')[0]} never began: what the scheduler said stands in .nextflow.log".toString()
    }
    def log = file("${task.workdir}/.command.err")
    def said = log.exists() ? log.readLines().findAll { line -> line.trim() } : []
    def words = said.reverse().find { line -> line.startsWith('error: ') } ?: (said ? said.last() : 'nothing on standard error')
    "${task.name.tokenize(' ')[0]}, exit status ${task.exit}: ${words - 'error: '}".toString()
}
