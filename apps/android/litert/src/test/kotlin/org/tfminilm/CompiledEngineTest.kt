package org.tfminilm

import com.google.ai.edge.litert.CompiledModel
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class CompiledEngineTest {
    private fun open(name: String, settings: CompiledSettings = CompiledSettings()): Pair<ModelBundle, Engine> {
        val bundle = Golden.bundle(name)
        val model = File(Golden.file(name), BundleManifest.MODEL)
        return bundle to CompiledEngine.open(bundle, model, settings, Remembered())
    }

    @Test
    fun `gives Python's answers for every kind of task`() {
        for (name in listOf("classification", "pairs", "encoder", "question_answering")) {
            val (bundle, engine) = open(name)
            engine.use { Comparison(bundle, it).check(Golden.rows("$name.jsonl").take(100)) }
        }
    }

    @Test
    fun `hands on threads, the file for weights and the hardware`() {
        val cache = File("weights")
        val settings = CompiledSettings(listOf(Hardware.NPU, Hardware.CPU), threads = 3, weightCache = cache)
        open("classification", settings).second.close()
        val options = CompiledModel.last!!
        assertEquals(listOf("NPU", "CPU"), options.accelerators.map { it.name })
        assertEquals(CompiledModel.CpuOptions(3, null, "weights"), options.cpuOptions)
    }

    @Test
    fun `hardware that cannot run the model is refused in a sentence`() {
        val error = assertThrows(BundleException::class.java) {
            open("classification", CompiledSettings(listOf(Hardware.GPU)))
        }
        assertEquals(BundleException.Code.WRONG_RUNTIME, error.code)
        assertTrue(error.message, "LiteRT 2 on GPU cannot run the model: choose the CPU" in error.message)
    }

    @Test
    fun `a table that is misread is refused`() {
        val bundle = Golden.bundle("classification")
        // The known answers of one model, and the file of another.
        val other = File(Golden.file("pairs"), BundleManifest.MODEL)
        assertThrows(Exception::class.java) { CompiledEngine.open(bundle, other, proven = Remembered()) }
    }

    @Test
    fun `refuses what is too long, and what comes after it is closed`() {
        val (_, engine) = open("classification")
        val sequence = TokenSequence(engine.maxLength + 1)
        repeat(engine.maxLength + 1) { sequence.add(1000, 0) }
        assertThrows(IllegalArgumentException::class.java) { engine.run(sequence) }
        engine.close()
        engine.close()
        assertThrows(IllegalStateException::class.java) { engine.run(TokenSequence(1)) }
    }
}
