#!/usr/bin/env nextflow

include { helpText                            } from './subworkflows/parameters'
include { annotationsOf ; samplesOf           } from './subworkflows/sheets'
include { transfersOf                         } from './subworkflows/transfers'
include { checkLaunch ; codeDigest ; failures } from './subworkflows/launch'
include { SIMULATE_CONTACTS } from './modules/simulate_contacts'
include { PREPARE_CONTACTS  } from './modules/prepare_contacts'
include { TRAIN_MODEL       } from './modules/train_model'
include { RECONSTRUCT_MAP   } from './modules/reconstruct_map'
include { COMPARE_METHODS   } from './modules/compare_methods'
include { CLASSIFY_ELEMENTS } from './modules/classify_elements'
include { ATTRIBUTE_POSITIONS } from './modules/attribute_positions'
include { PERTURB_GENOME    } from './modules/perturb_genome'
include { TRANSFER_MODEL    } from './modules/transfer_model'
include { REPORT            } from './modules/report'
include { VERSIONS          } from './modules/versions'

// Every channel of a sample begins with its meta, which is the key that channels are joined by.
workflow {
    if (params.help) {
        print(helpText())
        return
    }
    checkLaunch(params)
    code = codeDigest()
    trace = file("${params.outdir}/pipeline_info/trace.tsv")

    if (params.simulate) {
        finest = params.resolutions.toString().tokenize(',')*.toLong().min()
        SIMULATE_CONTACTS([params.simulate_cell_types, params.simulate_chromosomes, params.simulate_bins, finest, params.seed, code])
        sheet = SIMULATE_CONTACTS.out.samplesheet
        annotations = SIMULATE_CONTACTS.out.annotations
        variants = SIMULATE_CONTACTS.out.variants
        transfer = SIMULATE_CONTACTS.out.transfer
        truth = SIMULATE_CONTACTS.out.truth
        barriers = SIMULATE_CONTACTS.out.barriers
    }
    else {
        sheet = channel.fromPath(params.input, glob: false)
        annotations = params.annotations ? channel.fromPath(params.annotations, glob: false) : channel.empty()
        variants = params.variants ? channel.fromPath(params.variants, glob: false) : channel.empty()
        transfer = params.transfer ? channel.fromPath(params.transfer, glob: false) : channel.empty()
        truth = channel.empty()
        barriers = channel.empty()
    }
    fasta = params.fasta ? channel.fromPath(params.fasta, glob: false) : channel.empty()
    samples = sheet.flatMap { path -> samplesOf(path, params, code) }

    transfers = transfer.combine(asOne(samples)).flatMap { path, all -> transfersOf(path, all, params, code) }
    small = transfers.flatMap { one -> one.own + one.after }

    PREPARE_CONTACTS(samples.mix(small).map { sample -> [sample.meta, sample.contacts, sample.inside] })
    prepared = PREPARE_CONTACTS.out.map
    maps = samples.map { sample -> [sample.meta] }.join(prepared)                       // [meta, map]

    TRAIN_MODEL(maps)
    trained = maps.join(TRAIN_MODEL.out.model)                                          // [meta, map, model]

    replicates = trained.join(otherReplicates(maps))                                    // + maps of the same cell type
    RECONSTRUCT_MAP(replicates.join(samples.map { sample -> [sample.meta, sample.truth, sample.loops] }))

    known = samples.combine(asOne(annotations))                                         // [meta, rows, files]
        .map { sample, sheets -> [sample.meta] + (sheets ? annotationsOf(sheets[0], sample.meta.cell_type) : [[], []]) }
    annotated = known.filter { _meta, rows, _files -> rows }

    // Vectors of a cell type's first replicate; decoders trained again on it and on the others.
    COMPARE_METHODS(
        replicates.filter { _meta, map, _model, others -> params.compare && others.every { other -> map.name < other.name } }
            .join(known.map { meta, rows, files -> [meta, filesOf('subcompartments', rows, files)] })
    )
    CLASSIFY_ELEMENTS(maps.join(TRAIN_MODEL.out.representations).join(annotated))
    ATTRIBUTE_POSITIONS(
        trained.join(known).combine(asOne(fasta)).combine(asOne(barriers.flatten())).map { row ->
            row.dropRight(1) + [row.last().findAll { file -> file.name == "${row[0].cell_type}.truth.tsv" }]
        }
    )
    PERTURB_GENOME(
        trained.join(known).combine(asOne(variants)).combine(asOne(truth))
            .filter { _row -> params.simulate || params.annotations || params.variants }
    )

    // The maps to tune on, compare with and foretell are looked up by their names, once all are prepared.
    models = TRAIN_MODEL.out.model.map { meta, model -> [meta.id, model] }
    TRANSFER_MODEL(
        transfers.map { one -> [one.base, one] }.combine(models, by: 0)
            .combine(prepared.toList().map { found -> [found.collectEntries { meta, map -> [meta.id, map] }] })
            .combine(asOne(truth))
            .filter { _base, one, _model, ready, _truth -> (one.after*.meta*.id + one.meta.id).every { id -> ready[id] } }
            .map { _base, one, model, ready, genome ->
                [one.meta, ready[one.meta.id], model, one.against.findResults { id -> ready[id] }, one.truth, one.variants,
                    one.after.collect { after -> ready[after.meta.id] }, one.variants ? genome : []]
            }
    )

    results = PREPARE_CONTACTS.out.report
        .mix(TRAIN_MODEL.out.report, RECONSTRUCT_MAP.out.report, COMPARE_METHODS.out.report, CLASSIFY_ELEMENTS.out.report,
            ATTRIBUTE_POSITIONS.out.report, PERTURB_GENOME.out.report, TRANSFER_MODEL.out.report)
        .flatten().toSortedList { one, other -> one.name <=> other.name }               // one list of files
    REPORT(samples.mix(small).map { sample -> sample.meta }.toSortedList { one, other -> one.id <=> other.id }, results, results.map { _files -> failures(trace) })

    VERSIONS(code)
    channel.of(groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(params)))
        .collectFile(name: 'parameters.json', storeDir: "${params.outdir}/pipeline_info", newLine: true)

    workflow.onComplete {
        failures(trace).each { name, reason -> log.error("${name} failed. ${reason}") }
    }
}

// A channel's files as one list, empty or not, that combine() takes for one element.
def asOne(files) {
    files.toList().map { list -> [list] }
}

// The files of an annotation sheet's rows that hold one element.
def filesOf(element, rows, files) {
    [rows, files].transpose().findAll { row, _file -> row.element == element }.collect { _row, file -> file }
}

// [meta, map] -> [meta, maps of the other replicates of the same cell type and resolution]
def otherReplicates(maps) {
    maps.map { meta, map -> [[meta.cell_type, meta.resolution], [meta, map]] }
        .groupTuple()
        .flatMap { _key, replicates ->
            replicates.collect { own ->
                def others = (replicates - [own]).sort { other -> other[0].replicate }
                [own[0], others.collect { other -> other[1] }]
            }
        }
}
