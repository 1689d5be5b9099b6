// The sheet of small maps that trained models are tuned on: what is wrong with it, and what its lines ask for.

include { fileOf ; fileProblems ; formProblems ; partsOf ; readSheet ; resolutionsOf ; sampleColumns } from './sheets'

def transferColumns() {
    [['cell_type', 'replicate', 'base'], ['contacts', 'assembly', 'resolutions', 'variants', 'after', 'fractions', 'chromosomes']]
}

// `after` is a map of the same cells once they carry the variants, and is prepared under a name of its own.
def afterReplicate(row) {
    "${row.replicate}after".toString()
}

// A line's resolutions: its own, or those of its base model.
def widthsOf(row, List bases, given) {
    row.resolutions ? row.resolutions.tokenize(';').unique() : bases.collectMany { base -> resolutionsOf(base, given) }.unique()
}

def transferProblems(sheet, sampleSheet, given) {
    def read = readSheet(sheet, transferColumns()[0], transferColumns()[1])
    if (read.problems.any { problem -> problem.contains('column') && problem.contains('missing') }) {
        return read.problems
    }
    def samples = readSheet(sampleSheet, sampleColumns()[0], sampleColumns()[1]).rows
    def problems = read.problems
    read.rows.each { row ->
        def where = "${sheet.name} line ${row.line}"
        problems += formProblems(where, row, [
            cell_type:   [/[A-Za-z0-9][A-Za-z0-9_.+-]*/, 'letters, digits and _ . + - only, beginning with a letter or digit'],
            replicate:   [/[A-Za-z0-9]+/, 'letters and digits only, as in 1'],
            assembly:    [/[A-Za-z0-9_.-]*/, 'a name such as hg19'],
            resolutions: [/|[1-9][0-9]{0,8}(;[1-9][0-9]{0,8})*/, 'whole numbers of base pairs separated by semicolons, as in 50000;100000'],
            chromosomes: [/|[A-Za-z0-9_.-]+(;[A-Za-z0-9_.-]+)*/, 'names separated by semicolons, as in chr21;chr22'],
            fractions:   [/|0?\.[0-9]*[1-9][0-9]*(;0?\.[0-9]*[1-9][0-9]*)*/, 'shares of the contacts between 0 and 1 separated by semicolons, as in 0.01;0.1'],
        ])
        def bases = samples.findAll { sample -> "${sample.cell_type}_${sample.replicate}" == row.base }
        def own = samples.findAll { sample -> [sample.cell_type, sample.replicate] == [row.cell_type, row.replicate] }
        def names = samples.collect { sample -> "${sample.cell_type}_${sample.replicate}" }.unique().join(', ')
        if (!bases) {
            problems << "${where}: base '${row.base}': the samplesheet has no such sample; it has ${names}"
        }
        if (row.contacts && own) {
            problems << "${where}: ${row.cell_type} replicate ${row.replicate} is a sample of the samplesheet: leave contacts empty to use its map, or give these another name"
        }
        if (!row.contacts && !own) {
            problems << "${where}: contacts is empty, and the samplesheet has no ${row.cell_type} replicate ${row.replicate} whose map could be used; it has ${names}"
        }
        [base: bases, contacts: row.contacts ? [] : own].findAll { _column, found -> found }.each { column, found ->
            def missing = widthsOf(row, bases, given) - found.collectMany { sample -> resolutionsOf(sample, given) }
            if (missing) {
                problems << "${where}: ${column}: no map of ${found[0].cell_type} replicate ${found[0].replicate} is made at ${missing.join(', ')} bp (the samplesheet or --resolutions says which)"
            }
        }
        if (row.variants && !row.after) {
            problems << "${where}: variants without after: a map of the cells that carry them is needed, to compare with"
        }
        if (row.after && !row.variants) {
            problems << "${where}: after without variants: which ones do these cells carry?"
        }
        def files = [contacts: row.contacts, after: row.after].findAll { _column, text -> text }
            .collectEntries { column, text -> [column, partsOf(sheet, text)] }
        files.each { column, parts ->
            problems += parts.findAll { _name, place -> !(place ==~ /(::[A-Za-z0-9_\/.-]*)?/) }.collect { _name, place ->
                "${where}: ${column}: '${place}': expected a place in the file such as ::/resolutions/10000"
            }
            problems += fileProblems(sheet, where, column, parts.collect { name, _place -> name })
        }
        problems += fileProblems(sheet, where, 'variants', [row.variants])
    }
    problems + read.rows.groupBy { row -> [row.cell_type, row.replicate] }.findAll { _key, rows -> rows.size() > 1 }.collect { key, rows ->
        "${sheet.name} lines ${rows*.line.join(', ')}: ${key.join(' replicate ')} more than once; its results have one name"
    }
}

// What sheets separate by semicolons, scripts separate by commas.
def listed(text) {
    (text ?: '').replace(';', ',')
}

// A map that only the transfer sheet names, as a record of samplesOf; none where it names no file.
def mapsToPrepare(sheet, row, replicate, contacts, width, given, code) {
    if (!contacts) {
        return []
    }
    def parts = partsOf(sheet, contacts)
    [[
        meta:     [
            id: "${row.cell_type}_${replicate}.${width}".toString(), cell_type: row.cell_type, replicate: replicate,
            resolution: width, assembly: row.assembly ?: '', balance: given.balance, code: code
        ],
        contacts: parts.collect { name, _place -> fileOf(sheet, name) },
        inside:   parts.collect { _name, place -> place }
    ]]
}

// One record a map to tune on, for each resolution: meta (its key), base (id of the model's sample), own and after (records
// as of samplesOf, of maps that are to be prepared for it; none: the sample's own map), against (ids), truth, variants.
def transfersOf(sheet, samples, given, String code) {
    readSheet(sheet, transferColumns()[0], transferColumns()[1]).rows.collectMany { row ->
        def bases = samples.findAll { sample -> "${sample.meta.cell_type}_${sample.meta.replicate}" == row.base }
        def widths = row.resolutions ? row.resolutions.tokenize(';')*.toLong() : bases*.meta*.resolution
        widths.unique().collect { width ->
            def others = samples.findAll { sample -> sample.meta.cell_type == row.cell_type && sample.meta.resolution == width }
            def same = others.find { sample -> sample.meta.replicate == row.replicate }
            def own = mapsToPrepare(sheet, row, row.replicate, row.contacts, width, given, code)
            [
                meta:     (own ? own[0].meta : same.meta) + [fractions: listed(row.fractions), chromosomes: listed(row.chromosomes)],
                base:     "${row.base}.${width}".toString(),
                own:      own,
                after:    mapsToPrepare(sheet, row, afterReplicate(row), row.after, width, given, code),
                against:  row.fractions ? (others - [same])*.meta*.id : [],
                truth:    same ? same.truth : [],
                variants: row.variants ? [fileOf(sheet, row.variants)] : []
            ]
        }
    }
}
