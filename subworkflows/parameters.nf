// Parameters: all that is known about them stands in nextflow_schema.json.

def schemaGroups() {
    new groovy.json.JsonSlurper().parse(file("${projectDir}/nextflow_schema.json")).get('$defs').values()
}

def helpText() {
    def groups = schemaGroups().collect { group ->
        def lines = group.properties.collect { name, known ->
            def notes = [known['enum'] ? known['enum'].join(' | ') : null, known['default'] == null ? null : "default: ${known['default']}"]
            def note = notes.findAll { text -> text != null }.join('; ')
            "  --${name.padRight(22)}${known.description}${note ? " [${note}]" : ''}"
        }
        "${group.title}\n${lines.join('\n')}"
    }
    "nextflow run main.nf --input samplesheet.csv --outdir results [-profile docker|podman|apptainer|slurm|gpu ...] [-resume]\n" +
        "nextflow run main.nf -profile demo\n\n${groups.join('\n\n')}\n"
}

def parameterProblems(given) {
    def known = schemaGroups().collectEntries { group -> group.properties }
    def unknown = given.keySet().findAll { name -> !known.containsKey(name) }
    // Of --max-distance Nextflow makes maxDistance as well: told once.
    def aliases = unknown.findAll { name -> name.contains('-') }.collect { name ->
        name.replaceAll(/-(\w)/) { _whole, letter -> letter.toUpperCase() }
    }
    def problems = (unknown - aliases).collect { name ->
        def plain = name.toLowerCase().replace('-', '_')
        def nearest = known.keySet().min { other -> editDistance(plain, other) }
        def near = editDistance(plain, nearest) <= 3
        "--${name}: there is no such parameter" + (near ? "; did you mean --${nearest}?" : '')
    }
    problems += known.findAll { name, _rule -> given[name] != null }.collect { name, rule -> valueProblem(name, given[name], rule) }
    if (!given.input && !given.simulate) {
        problems << '--input: a samplesheet is needed (or --simulate, or -profile demo)'
    }
    if (given.input && given.simulate) {
        problems << '--input and --simulate exclude each other'
    }
    if (given.simulate) {
        problems += ['annotations', 'variants', 'transfer', 'fasta'].findAll { name -> given[name] }.collect { name ->
            "--${name} and --simulate exclude each other: simulated maps bring their own"
        }
    }
    def widths = given.resolutions.toString().tokenize(',').findAll { width -> width.isLong() }*.toLong()
    if (given.simulate && widths.any { width -> !(width in [1, 2, 5, 10, 50]*.multiply(widths.min())) }) {
        problems << "--resolutions ${given.resolutions}: simulated maps have the finest of these and 2, 5, 10 and 50 times it"
    }
    def few = given.simulate && given.simulate_bins.toString().isLong() ? widths.findAll { width -> width > widths.min() && given.simulate_bins.toString().toLong() * widths.min() < 40 * width } : []
    if (few) {
        problems << "--resolutions ${given.resolutions}: at ${few.join(', ')} bp fewer than 40 of --simulate_bins ${given.simulate_bins} bins would be left of a chromosome, and no such map is simulated"
    }
    problems.findAll { problem -> problem != null }
}

// What is wrong with the value of one parameter, or null.
def valueProblem(String name, value, Map rule) {
    def found = "--${name} ${value}"
    if (rule.type == 'boolean') {
        return value instanceof Boolean ? null : "${found}: expected true or false"
    }
    if (value instanceof Boolean) {
        return "--${name}: a value is missing (one that begins with - is written --${name}='-...')"
    }
    if (rule.type == 'integer') {
        if (!(value.toString() ==~ /-?[0-9]{1,15}/)) {
            return "${found}: expected a whole number"
        }
        def number = value.toString().toLong()
        if (rule.minimum != null && number < rule.minimum) {
            return "${found}: expected at least ${rule.minimum}"
        }
        return rule.maximum != null && number > rule.maximum ? "${found}: expected at most ${rule.maximum}" : null
    }
    if (rule['enum'] && !rule['enum'].contains(value.toString())) {
        return "${found}: expected one of ${rule['enum'].join(', ')}"
    }
    if (rule.pattern && !(value.toString() ==~ rule.pattern)) {
        return "${found}: ${rule.errorMessage}"
    }
    if (rule.format == 'file-path' && !isAddress(value)) {
        def path = file(value, glob: false)
        def problem = path.isFile() ? variableIn(path) : 'no such file'
        return problem ? "${found}: ${problem}" : null
    }
    null
}

// What is wrong with a path in which a shell would see a variable, or null: Nextflow quotes all other letters.
def variableIn(path) {
    path.toString() =~ /\$[A-Za-z0-9_{@*#?!$-]/ ? 'a name with $ before a letter would be taken for a variable; rename it' : null
}

// Number of letters to change, add or drop to get from one name to the other (Levenshtein).
def editDistance(String from, String to) {
    def last = from.toList().inject((0..to.size()).toList()) { row, letter ->
        to.toList().indexed().inject([row[0] + 1]) { next, at, other ->
            next + [[next[at] + 1, row[at + 1] + 1, row[at] + (letter == other ? 0 : 1)].min()]
        }
    }
    last[-1]
}

def isAddress(text) {
    text.toString() ==~ /^[A-Za-z][A-Za-z0-9+.-]*:\/\/.+/
}
