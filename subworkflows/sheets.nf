// The two sheets, samples and annotations: CSV to rows, what is wrong with them, and what the samples are.

include { isAddress ; variableIn } from './parameters'

// Fields of a line of CSV ("quoted, fields" with "" for a quote inside), or null where quotes do not match.
def csvFields(String line) {
    def field = /\s*(?:"[^"]*(?:""[^"]*)*"|[^",]*)\s*/
    if (!(line ==~ "${field}(?:,${field})*")) {
        return null
    }
    (',' + line).findAll(",(${field})") { _whole, text ->
        def bare = text.trim()
        bare.startsWith('"') ? bare[1..-2].replace('""', '"').trim() : bare
    }
}

// A sheet's rows as maps (column to text, and `line`, its number), and what is wrong with its form.
def readSheet(sheet, List required, List optional) {
    def lines = sheet.text.replaceFirst('^\uFEFF', '').readLines()
    def filled = lines.indexed().findAll { _at, text -> text.trim() }
    if (!filled) {
        return [rows: [], problems: ["${sheet.name}: the sheet is empty; its first line must be ${(required + optional).join(',')}"]]
    }
    def headerLine = filled.keySet().first()
    def columns = csvFields(filled[headerLine]) ?: []
    def where = "${sheet.name} line ${headerLine + 1}"
    def problems = (required - columns).collect { name -> "${where}: the column ${name} is missing; found ${columns.join(', ')}" }
    problems += (columns - required - optional).collect { name ->
        "${where}: unknown column '${name}'; known are ${(required + optional).join(', ')}"
    }
    problems += columns.countBy { name -> name }.findAll { _name, times -> times > 1 }.collect { name, _times ->
        "${where}: the column ${name} stands there twice"
    }
    def rows = []
    filled.findAll { at, _text -> at != headerLine }.each { at, text ->
        def fields = csvFields(text)
        if (fields == null) {
            problems << "${sheet.name} line ${at + 1}: the quotes do not match"
        }
        else if (fields.size() != columns.size()) {
            problems << "${sheet.name} line ${at + 1}: ${fields.size()} fields, but ${columns.size()} columns"
        }
        else {
            rows << [columns, fields].transpose().collectEntries() + [line: at + 1]
        }
    }
    if (filled.size() == 1) {
        problems << "${sheet.name}: there is no line below the header"
    }
    [rows: rows, problems: problems]
}

// A file that a sheet names: an address, or a path that is relative to the sheet.
def fileOf(sheet, String text) {
    isAddress(text) ? file(text, glob: false) : sheet.toAbsolutePath().parent.resolve(text)
}

// The files of a library, each with its place: `maps.mcool::/resolutions/10000` is a file and a place in it,
// `a.matrix::a_abs.bed` (HiC-Pro) two files, of which the first has the place `::`, as has `a.matrix` beside `a_abs.bed`.
def partsOf(sheet, String text) {
    def (name, place) = text.contains('::') ? [text.substring(0, text.indexOf('::')), text.substring(text.indexOf('::'))] : [text, '']
    def beside = name.replaceFirst(/\.matrix$/, '_abs.bed')
    if (place ==~ /::.+\.bed(\.gz)?/) {
        return [[name, '::'], [place - '::', '']]
    }
    if (!place && beside != name && !isAddress(name) && fileOf(sheet, beside).exists()) {
        return [[name, '::'], [beside, '']]
    }
    [[name, place]]
}

// The fields of `row` that do not fit their form, as {column: [pattern, what is expected]}.
def formProblems(where, row, Map forms) {
    forms.findAll { column, form -> !((row[column] ?: '') ==~ form[0]) }.collect { column, form ->
        "${where}: ${column} '${row[column] ?: ''}': expected ${form[1]}"
    }
}

def fileProblems(sheet, where, String column, List names) {
    names.findAll { name -> name && !isAddress(name) }.collectMany { name ->
        def path = fileOf(sheet, name).normalize()
        def problem = !path.isFile() ? (path.exists() ? 'is not a file' : 'no such file') : variableIn(path)
        problem ? ["${where}: ${column} '${name}': ${problem} (${path})"] : []
    }
}

def resolutionsOf(row, given) {
    (row.resolutions ? row.resolutions.tokenize(';') : given.resolutions.toString().tokenize(',')).unique()
}

// A truth has one resolution: `truth/GM12878.{resolution}.cool` names one file for each.
def truthName(row, resolution) {
    row.truth.replace('{resolution}', resolution)
}

def sampleColumns() {
    [['cell_type', 'replicate', 'contacts'], ['assembly', 'balance', 'resolutions', 'truth', 'loops']]
}

def sampleProblems(sheet, given) {
    def read = readSheet(sheet, sampleColumns()[0], sampleColumns()[1])
    if (read.problems.any { problem -> problem.contains('column') && problem.contains('missing') }) {
        return read.problems
    }
    def problems = read.problems
    read.rows.each { row ->
        def where = "${sheet.name} line ${row.line}"
        problems += formProblems(where, row, [
            cell_type:   [/[A-Za-z0-9][A-Za-z0-9_.+-]*/, 'letters, digits and _ . + - only, beginning with a letter or digit'],
            replicate:   [/[A-Za-z0-9]+/, 'letters and digits only, as in 1'],
            contacts:    [/.+/, 'a file'],
            assembly:    [/[A-Za-z0-9_.-]*/, 'a name such as hg19'],
            balance:     [/[A-Za-z0-9_]*/, 'auto or a name such as KR, SCALE, VC, weight'],
            resolutions: [/|[1-9][0-9]{0,8}(;[1-9][0-9]{0,8})*/, 'whole numbers of base pairs separated by semicolons, as in 50000;100000'],
        ])
        def parts = partsOf(sheet, row.contacts ?: '')
        problems += parts.findAll { _name, place -> !(place ==~ /(::[A-Za-z0-9_\/.-]*)?/) }.collect { _name, place ->
            "${where}: contacts: '${place}': expected a place in the file such as ::/resolutions/10000"
        }
        if (row.cell_type in ['pipeline_info', 'simulated']) {
            problems << "${where}: cell_type '${row.cell_type}': this name is taken by a folder of the results"
        }
        problems += fileProblems(sheet, where, 'contacts', parts.collect { name, _place -> name })
        problems += fileProblems(sheet, where, 'truth', row.truth ? resolutionsOf(row, given).collect { resolution -> truthName(row, resolution) }.unique() : [])
        problems += fileProblems(sheet, where, 'loops', [row.loops])
    }
    read.rows.findAll { row -> row.contacts }
        .groupBy { row -> partsOf(sheet, row.contacts).collect { name, place -> fileOf(sheet, name).normalize().toString() + place } }
        .findAll { _parts, rows -> rows.size() > 1 }
        .each { _parts, rows -> problems << "${sheet.name} lines ${rows*.line.join(', ')}: the same contacts '${rows[0].contacts}' more than once" }
    read.rows.groupBy { row -> [row.cell_type, row.replicate] }.each { sample, rows ->
        sampleColumns()[1].findAll { column -> rows.collect { row -> row[column] ?: '' }.unique().size() > 1 }.each { column ->
            problems << "${sheet.name} lines ${rows*.line.join(', ')}: libraries of one map (${sample.join(' replicate ')}) differ in ${column}"
        }
    }
    problems
}

def annotationColumns() {
    [['cell_type', 'element', 'file'], ['column', 'threshold']]
}

def annotationProblems(sheet, List cellTypes) {
    def read = readSheet(sheet, annotationColumns()[0], annotationColumns()[1])
    if (read.problems.any { problem -> problem.contains('column') && problem.contains('missing') }) {
        return read.problems
    }
    def problems = read.problems
    read.rows.each { row ->
        def where = "${sheet.name} line ${row.line}"
        problems += formProblems(where, row, [
            element:   [/[A-Za-z0-9][A-Za-z0-9_.+ -]*/, 'letters, digits, spaces and _ . + - only'],
            file:      [/.+/, 'a file'],
            column:    [/[A-Za-z0-9_. -]*/, 'the name or number of a column'],
            threshold: [/(-?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?)?/, 'a number'],
        ])
        if (row.cell_type != '*' && cellTypes && !(row.cell_type in cellTypes)) {
            problems << "${where}: cell_type '${row.cell_type}': the samplesheet has ${cellTypes.join(', ')} (or * for all)"
        }
        problems += fileProblems(sheet, where, 'file', [row.file])
    }
    problems
}

// One record a map to make: meta (its key, the same in every channel), contacts (files), inside (place in each file), truth, loops.
def samplesOf(sheet, given, String code) {
    def rows = readSheet(sheet, sampleColumns()[0], sampleColumns()[1]).rows
    rows.groupBy { row -> [row.cell_type, row.replicate] }.collectMany { _sample, libraries ->
        def first = libraries[0]
        def parts = libraries.collectMany { row -> partsOf(sheet, row.contacts) }
        resolutionsOf(first, given).collect { resolution ->
            [
                meta:     [
                    id: "${first.cell_type}_${first.replicate}.${resolution}".toString(), cell_type: first.cell_type, replicate: first.replicate,
                    resolution: resolution.toLong(), assembly: first.assembly ?: '', balance: first.balance ?: given.balance, code: code
                ],
                contacts: parts.collect { name, _place -> fileOf(sheet, name) },
                inside:   parts.collect { _name, place -> place },
                truth:    first.truth ? [fileOf(sheet, truthName(first, resolution))] : [],
                loops:    first.loops ? [fileOf(sheet, first.loops)] : []
            ]
        }
    }
}

// The rows of an annotation sheet for one cell type, and their files in the same order, for a process to stage.
def annotationsOf(sheet, cellType) {
    def rows = readSheet(sheet, annotationColumns()[0], annotationColumns()[1]).rows.findAll { row -> row.cell_type in ['*', cellType] }
    [rows.collect { row -> row.subMap('cell_type', 'element', 'column', 'threshold') }, rows.collect { row -> fileOf(sheet, row.file) }]
}

// Inside a process: such rows as the text of a sheet again, with the files where they were staged (a file's name is its path
// in the task's folder), indented as scripts are.
def annotationSheet(rows, files) {
    def staged = files instanceof Collection ? files : [files]
    def lines = [rows, staged].transpose().collect { row, path ->
        "${row.cell_type},${row.element},\"${path.name.replace('"', '""')}\",${row.column ?: ''},${row.threshold ?: ''}"
    }
    (['cell_type,element,file,column,threshold'] + lines).join('\n    ')
}
